# Has no kernel at all.
# expect: lint fail no_kernel
import torch


def twice(x):
    return x + x

# expect: fail missing_entry
import torch
import triton
import triton.language as tl

def sum_of(x, y):
    return x

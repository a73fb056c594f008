# expect: fail syntax_error
import torch
import triton
import triton.language as tl

def add(x, y:
    return x

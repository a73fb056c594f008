/* A kernel and plans for it, for the tests of device/, launch/ and judge/: out[i] = x[i] + y[i], 64 lanes a program. */
#ifndef GK_TESTS_ADD_KERNEL_H
#define GK_TESTS_ADD_KERNEL_H

#define ADD_NAME "add_kernel"
/* MASK: ", %inside" or "": without it the last program runs over the end. */
#define ADD_TTIR(MASK) \
	"#loc = loc(\"/geak/candidate.py\":4:0)\n" \
	"module {\n" \
	"  tt.func public @add_kernel(%x: !tt.ptr<f32> loc(\"x\"(#loc)), %y: !tt.ptr<f32> loc(\"y\"(#loc)), " \
	"%o: !tt.ptr<f32> loc(\"o\"(#loc)), %n: i32 loc(\"n\"(#loc))) attributes {noinline = false} {\n" \
	"    %c64 = arith.constant 64 : i32 loc(#loc1)\n" \
	"    %pid = tt.get_program_id x : i32 loc(#loc1)\n" \
	"    %base = arith.muli %pid, %c64 : i32 loc(#loc1)\n" \
	"    %range = tt.make_range {end = 64 : i32, start = 0 : i32} : tensor<64xi32> loc(#loc1)\n" \
	"    %bases = tt.splat %base : i32 -> tensor<64xi32> loc(#loc1)\n" \
	"    %at = arith.addi %bases, %range : tensor<64xi32> loc(#loc1)\n" \
	"    %ns = tt.splat %n : i32 -> tensor<64xi32> loc(#loc1)\n" \
	"    %inside = arith.cmpi slt, %at, %ns : tensor<64xi32> loc(#loc1)\n" \
	"    %xs = tt.splat %x : !tt.ptr<f32> -> tensor<64x!tt.ptr<f32>> loc(#loc2)\n" \
	"    %xp = tt.addptr %xs, %at : tensor<64x!tt.ptr<f32>>, tensor<64xi32> loc(#loc2)\n" \
	"    %xv = tt.load %xp" MASK " : tensor<64x!tt.ptr<f32>> loc(#loc2)\n" \
	"    %ys = tt.splat %y : !tt.ptr<f32> -> tensor<64x!tt.ptr<f32>> loc(#loc2)\n" \
	"    %yp = tt.addptr %ys, %at : tensor<64x!tt.ptr<f32>>, tensor<64xi32> loc(#loc2)\n" \
	"    %yv = tt.load %yp" MASK " : tensor<64x!tt.ptr<f32>> loc(#loc2)\n" \
	"    %os = tt.splat %o : !tt.ptr<f32> -> tensor<64x!tt.ptr<f32>> loc(#loc3)\n" \
	"    %op = tt.addptr %os, %at : tensor<64x!tt.ptr<f32>>, tensor<64xi32> loc(#loc3)\n" \
	"    %sum = arith.addf %xv, %yv : tensor<64xf32> loc(#loc3)\n" \
	"    tt.store %op, %sum" MASK " : tensor<64x!tt.ptr<f32>> loc(#loc3)\n" \
	"    tt.return loc(#loc3)\n" \
	"  } loc(#loc)\n" \
	"} loc(#loc)\n" \
	"#loc1 = loc(\"/geak/candidate.py\":5:10)\n" \
	"#loc2 = loc(\"/geak/candidate.py\":6:8)\n" \
	"#loc3 = loc(\"/geak/candidate.py\":7:4)\n"

#define ADD_GOOD ADD_TTIR(", %inside")
#define ADD_WILD ADD_TTIR("")

/* printf format: hash, bytes of each buffer (3), grid, output buffer of the kernel, count, elements. */
#define ADD_PLAN \
	"{\"plan\":1,\"ir\":\"ttir\",\"target\":\"cpu\"," \
	"\"case\":\"0000000000000000000000000000000000000000000000000000000000000000\",\"from\":{\"candidate\":\"0000000000000000000000000000000000000000000000000000000000000000\"," \
	"\"triton\":\"3.7.1\",\"torch\":\"2.13.0\",\"capture\":\"b\",\"env\":{},\"census\":[],\"notes\":[]}," \
	"\"buffers\":[{\"bytes\":%d,\"align\":512,\"input\":\"x\"},{\"bytes\":%d,\"align\":512,\"input\":\"y\"}," \
	"{\"bytes\":%d,\"align\":512}]," \
	"\"kernels\":[{\"ttir\":\"%s\",\"name\":\"add_kernel\",\"options\":{\"num_warps\":4},\"inline_asm\":false}]," \
	"\"prologue\":[],\"steps\":[{\"op\":\"launch\",\"kernel\":0,\"grid\":[%d,1,1],\"line\":12,\"args\":[" \
	"{\"t\":\"ptr\",\"buf\":0,\"at\":0},{\"t\":\"ptr\",\"buf\":1,\"at\":0},{\"t\":\"ptr\",\"buf\":%d,\"at\":0}," \
	"{\"t\":\"i32\",\"v\":%d}]}]," \
	"\"outputs\":[{\"buf\":2,\"at\":0,\"dtype\":\"float32\",\"shape\":[%d],\"strides\":[1],\"name\":\"0\"}]}"

#endif

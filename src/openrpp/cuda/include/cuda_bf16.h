/* __nv_bfloat16 and __nv_bfloat162. */
#pragma once
#include "rpp/small_floats.h"

RPP_SMALL_TYPE(__nv_bfloat16, __nv_bfloat162, __bf16)
typedef __nv_bfloat16 nv_bfloat16;
typedef __nv_bfloat162 nv_bfloat162;
RPP_SMALL_EXTREMA(__nv_bfloat16, __nv_bfloat162)
RPP_SMALL_FLOAT(__nv_bfloat16, __nv_bfloat162, __bf16)
RPP_SMALL_CONVERSIONS(__nv_bfloat16, __nv_bfloat162, bfloat16, bfloat162)

/* half and half2. */
#pragma once
#include "rpp/small_floats.h"

RPP_SMALL_TYPE(__half, __half2, _Float16)
typedef __half half;
typedef __half2 half2;
typedef __half nv_half;
typedef __half2 nv_half2;
RPP_SMALL_EXTREMA(__half, __half2)
RPP_SMALL_FLOAT(__half, __half2, _Float16)
RPP_SMALL_CONVERSIONS(__half, __half2, half, half2)

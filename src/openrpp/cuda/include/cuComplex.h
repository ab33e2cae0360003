/* cuComplex and cuDoubleComplex. */
#pragma once
#include "cuda_runtime.h"

typedef float2 cuFloatComplex;
typedef double2 cuDoubleComplex;
typedef cuFloatComplex cuComplex;

#define RPP_COMPLEX(C, T, f, make) \
    RPP_EITHER C make(T r, T i) { C v; v.x = r, v.y = i; return v; } \
    RPP_EITHER T cuCreal##f(C v) { return v.x; } \
    RPP_EITHER T cuCimag##f(C v) { return v.y; } \
    RPP_EITHER C cuConj##f(C v) { return make(v.x, -v.y); } \
    RPP_EITHER C cuCadd##f(C a, C b) { return make(a.x + b.x, a.y + b.y); } \
    RPP_EITHER C cuCsub##f(C a, C b) { return make(a.x - b.x, a.y - b.y); } \
    RPP_EITHER C cuCmul##f(C a, C b) { return make(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x); } \
    /* The divisor is scaled to about 1, so that its square cannot overflow. */ \
    RPP_EITHER C cuCdiv##f(C a, C b) { \
        T x = b.x < 0 ? -b.x : b.x, y = b.y < 0 ? -b.y : b.y; \
        T scale = T(1) / (x + y); \
        C p = make(a.x * scale, a.y * scale), q = make(b.x * scale, b.y * scale); \
        T size = T(1) / (q.x * q.x + q.y * q.y); \
        return make((p.x * q.x + p.y * q.y) * size, (p.y * q.x - p.x * q.y) * size); \
    } \
    RPP_EITHER C cuCfma##f(C a, C b, C c) { return cuCadd##f(cuCmul##f(a, b), c); }
RPP_COMPLEX(cuFloatComplex, float, f, make_cuFloatComplex)
RPP_COMPLEX(cuDoubleComplex, double, , make_cuDoubleComplex)
#undef RPP_COMPLEX
RPP_EITHER cuComplex make_cuComplex(float r, float i) { return make_cuFloatComplex(r, i); }
RPP_DEVICE float cuCabsf(cuFloatComplex v) { return hypotf(v.x, v.y); }
RPP_DEVICE double cuCabs(cuDoubleComplex v) { return hypot(v.x, v.y); }
inline __attribute__((host)) float cuCabsf(cuFloatComplex v) { return __builtin_hypotf(v.x, v.y); }
inline __attribute__((host)) double cuCabs(cuDoubleComplex v) { return __builtin_hypot(v.x, v.y); }
RPP_EITHER cuDoubleComplex cuComplexFloatToDouble(cuFloatComplex v) { return make_cuDoubleComplex(v.x, v.y); }
RPP_EITHER cuFloatComplex cuComplexDoubleToFloat(cuDoubleComplex v) { return make_cuFloatComplex((float)v.x, (float)v.y); }

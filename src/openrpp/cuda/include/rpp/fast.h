/* The quick float functions behind __sinf, __expf and so on: no extra digits, no slow paths. */
#pragma once
#include "rpp/exp.h"
#include "rpp/log.h"
#include "rpp/trig.h"

/* 2^x; results below 2^-125.5 are 0. */
RPP_MATH float __rpp_fast_exp2(float x) {
    RPP_EXACT
    float inside = __rpp_clamp(x, -126.0f, 128.0f);
    __rpp_nearest<float> n = __rpp_round_small<float>(inside);
    float r = inside - n.value;
    /* 2 2^(n-1), so that 2^128 does not stand in the way of results below it; 2^-127 as a bit pattern is 0 */
    float p = 1.0f + r * __rpp_poly_exp2(r);
    return (p + p) * __rpp_exp2i<float>(n.integer - 1);
}

RPP_MATH float __rpp_fast_exp(float x) {
    RPP_EXACT
    return __rpp_fast_exp2(x * 0x1.715476p0f);
}

RPP_MATH float __rpp_fast_exp10(float x) {
    RPP_EXACT
    return __rpp_fast_exp2(x * 0x1.a934fp1f);
}

RPP_MATH float __rpp_fast_log(float x) { return __rpp_log(x); }

RPP_MATH float __rpp_fast_log2(float x) {
    RPP_EXACT
    return __rpp_log(x) * 0x1.715476p0f;
}

RPP_MATH float __rpp_fast_log10(float x) {
    RPP_EXACT
    return __rpp_log(x) * 0x1.bcb7b2p-2f;
}

RPP_MATH float __rpp_fast_pow(float x, float y) {
    RPP_EXACT
    return __rpp_fast_exp2(y * __rpp_fast_log2(x));
}

/* Good to an absolute 2^-21 within [-pi, pi]; beyond, the error grows with |x|. */
RPP_MATH __rpp_sine_cosine<float> __rpp_fast_sincos(float x) {
    RPP_EXACT
    __rpp_nearest<float> n = __rpp_round_small<float>(x * 0x1.45f306p-1f);
    float r = (x - n.value * 0x1.92p0f) - n.value * 0x1.fb5444p-12f;
    float z = r * r;
    float sine = r + r * z * __rpp_poly_sin(z);
    float cosine = (1.0f - 0.5f * z) + z * z * __rpp_poly_cos(z);
    return __rpp_turned(sine, cosine, n.integer);
}

RPP_MATH float __rpp_fast_tan(float x) {
    RPP_EXACT
    __rpp_sine_cosine<float> both = __rpp_fast_sincos(x);
    return both.sine / both.cosine;
}

RPP_MATH float __rpp_fast_tanh(float x) {
    RPP_EXACT
    return 1.0f - 2.0f / (__rpp_fast_exp(x + x) + 1.0f);
}

RPP_MATH float __expf(float x) { return __rpp_fast_exp(x); }
RPP_MATH float __exp2f(float x) { return __rpp_fast_exp2(x); }
RPP_MATH float __exp10f(float x) { return __rpp_fast_exp10(x); }
RPP_MATH float __logf(float x) { return __rpp_fast_log(x); }
RPP_MATH float __log2f(float x) { return __rpp_fast_log2(x); }
RPP_MATH float __log10f(float x) { return __rpp_fast_log10(x); }
RPP_MATH float __powf(float x, float y) { return __rpp_fast_pow(x, y); }
RPP_MATH float __sinf(float x) { return __rpp_fast_sincos(x).sine; }
RPP_MATH float __cosf(float x) { return __rpp_fast_sincos(x).cosine; }
RPP_MATH float __tanf(float x) { return __rpp_fast_tan(x); }
RPP_MATH float __tanhf(float x) { return __rpp_fast_tanh(x); }
RPP_MATH void __sincosf(float x, float *s, float *c) {
    __rpp_sine_cosine<float> both = __rpp_fast_sincos(x);
    *s = both.sine, *c = both.cosine;
}
RPP_MATH float __fdividef(float x, float y) { return x / y; }
RPP_MATH float __saturatef(float x) { return x > 0.0f ? x < 1.0f ? x : 1.0f : 0.0f; }

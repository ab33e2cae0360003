/* Minimax polynomials. Written by `python -m openrpp.cuda.minimax`; do not edit. */
#pragma once
#include "rpp/target.h"

/* (e^x - 1 - x) / x^2, for x in [-0.35004, 0.35004]; degree 4, error 2^-28.2 of the result */
RPP_MATH float __rpp_poly_exp(float x) {
    RPP_EXACT
    float p = 0x1.6dbc62p-10f;
    p = p * x + 0x1.124146p-7f;
    p = p * x + 0x1.555454p-5f;
    p = p * x + 0x1.555486p-3f;
    p = p * x + 0x1p-1f;
    return p;
}

/* (2^x - 1) / x, for x in [-0.505, 0.505]; degree 5, error 2^-28.9 of the result */
RPP_MATH float __rpp_poly_exp2(float x) {
    RPP_EXACT
    float p = 0x1.4497cp-13f;
    p = p * x + 0x1.5f50bep-10f;
    p = p * x + 0x1.3b299ep-7f;
    p = p * x + 0x1.c6aebep-5f;
    p = p * x + 0x1.ebfbep-3f;
    p = p * x + 0x1.62e43p-1f;
    return p;
}

/* (10^x - 1) / x, for x in [-0.152, 0.152]; degree 5, error 2^-28.9 of the result */
RPP_MATH float __rpp_poly_exp10(float x) {
    RPP_EXACT
    float p = 0x1.a9f87ep-3f;
    p = p * x + 0x1.1592c8p-1f;
    p = p * x + 0x1.2bd656p+0f;
    p = p * x + 0x1.046f5p+1f;
    p = p * x + 0x1.53524ep+1f;
    p = p * x + 0x1.26bb1cp+1f;
    return p;
}

/* (sin(x) / x - 1) / x^2, in x^2, for x in [0.0, 0.62925]; degree 3, error 2^-37.4 of the result */
RPP_MATH float __rpp_poly_sin(float x) {
    RPP_EXACT
    float p = 0x1.6cbeccp-19f;
    p = p * x + -0x1.a00f32p-13f;
    p = p * x + 0x1.111108p-7f;
    p = p * x + -0x1.555556p-3f;
    return p;
}

/* (cos(x) - 1 + x^2 / 2) / x^4, in x^2, for x in [0.0, 0.62925]; degree 2, error 2^-33.1 of the result */
RPP_MATH float __rpp_poly_cos(float x) {
    RPP_EXACT
    float p = 0x1.99e364p-16f;
    p = p * x + -0x1.6c0c24p-10f;
    p = p * x + 0x1.55554ap-5f;
    return p;
}

/* (sin(pi x) / x - pi) / x^2, in x^2, for x in [0.0, 0.0625]; degree 3, error 2^-37.5 of the result */
RPP_MATH float __rpp_poly_sinpi(float x) {
    RPP_EXACT
    float p = 0x1.4be68cp-4f;
    p = p * x + -0x1.32cb24p-1f;
    p = p * x + 0x1.466bbcp+1f;
    p = p * x + -0x1.4abbcep+2f;
    return p;
}

/* (cos(pi x) - 1) / x^2, in x^2, for x in [0.0, 0.0625]; degree 3, error 2^-34.1 of the result */
RPP_MATH float __rpp_poly_cospi(float x) {
    RPP_EXACT
    float p = 0x1.d9f7b8p-3f;
    p = p * x + -0x1.55c664p+0f;
    p = p * x + 0x1.03c1dep+2f;
    p = p * x + -0x1.3bd3ccp+2f;
    return p;
}

/* (asin(x) / x - 1) / x^2, in x^2, for x in [0.0, 0.25]; degree 5, error 2^-31.7 of the result */
RPP_MATH float __rpp_poly_asin(float x) {
    RPP_EXACT
    float p = 0x1.33b5fp-5f;
    p = p * x + 0x1.d8051ap-7f;
    p = p * x + 0x1.04a4f2p-5f;
    p = p * x + 0x1.6cac6ap-5f;
    p = p * x + 0x1.33388ep-4f;
    p = p * x + 0x1.55554cp-3f;
    return p;
}

/* (atan(x) / x - 1) / x^2, in x^2, for x in [0.0, 0.172]; degree 4, error 2^-30.5 of the result */
RPP_MATH float __rpp_poly_atan(float x) {
    RPP_EXACT
    float p = -0x1.f1e5b4p-5f;
    p = p * x + 0x1.b1ed6ap-4f;
    p = p * x + -0x1.23b57p-3f;
    p = p * x + 0x1.99919ep-3f;
    p = p * x + -0x1.55554ap-2f;
    return p;
}

/* (tanh(x) / x - 1) / x^2, in x^2, for x in [0.0, 0.36]; degree 4, error 2^-28.5 of the result */
RPP_MATH float __rpp_poly_tanh(float x) {
    RPP_EXACT
    float p = -0x1.830ddep-8f;
    p = p * x + 0x1.54e0c4p-6f;
    p = p * x + -0x1.b89efep-5f;
    p = p * x + 0x1.1109dcp-3f;
    p = p * x + -0x1.55553ep-2f;
    return p;
}

/* (sinh(x) / x - 1) / x^2, in x^2, for x in [0.0, 1.0]; degree 3, error 2^-34.0 of the result */
RPP_MATH float __rpp_poly_sinh(float x) {
    RPP_EXACT
    float p = 0x1.7a2666p-19f;
    p = p * x + 0x1.9ffe12p-13f;
    p = p * x + 0x1.111136p-7f;
    p = p * x + 0x1.555556p-3f;
    return p;
}

/* (log(1 + x) - x + x^2 / 2) / x^3, for x in [-0.2936, 0.41563]; degree 8, error 2^-30.3 of the result */
RPP_MATH float __rpp_poly_log(float x) {
    RPP_EXACT
    float p = 0x1.1ae46ep-4f;
    p = p * x + -0x1.e33558p-4f;
    p = p * x + 0x1.e69dfap-4f;
    p = p * x + -0x1.fb3bc2p-4f;
    p = p * x + 0x1.232d76p-3f;
    p = p * x + -0x1.5562eep-3f;
    p = p * x + 0x1.99a584p-3f;
    p = p * x + -0x1.ffffeep-3f;
    p = p * x + 0x1.555546p-2f;
    return p;
}

/* (atanh(x) / x - 1 - x^2 / 3) / x^4, in x^2, for x in [0.0, 0.029639]; degree 3, error 2^-35.2 of the result */
RPP_MATH float __rpp_poly_atanh5(float x) {
    RPP_EXACT
    float p = 0x1.8ee3bap-4f;
    p = p * x + 0x1.c6569cp-4f;
    p = p * x + 0x1.24937ap-3f;
    p = p * x + 0x1.999998p-3f;
    return p;
}

/* erf(x) / x - 1, in x^2, for x in [1.0e-30, 1.0]; degree 6, error 2^-29.7 of the result */
RPP_MATH float __rpp_poly_erf(float x) {
    RPP_EXACT
    float p = 0x1.4ae466p-14f;
    p = p * x + -0x1.a485d4p-11f;
    p = p * x + 0x1.5419f4p-8f;
    p = p * x + -0x1.b7fbb4p-6f;
    p = p * x + 0x1.ce2d2p-4f;
    p = p * x + -0x1.81273ep-2f;
    p = p * x + 0x1.06eba8p-3f;
    return p;
}

/* (1 + 2 y) e^(y^2) erfc(y), in x = (y - 2) / (y + 2), for x in [-0.63934, 0.68]; degree 10, error 2^-29.9 of the result */
RPP_MATH float __rpp_poly_erfcx(float x) {
    RPP_EXACT
    float p = 0x1.bee9fp-13f;
    p = p * x + -0x1.424d5ep-12f;
    p = p * x + -0x1.80c75cp-10f;
    p = p * x + 0x1.3de786p-10f;
    p = p * x + 0x1.1df6f8p-7f;
    p = p * x + -0x1.06e95p-7f;
    p = p * x + -0x1.bc2cep-5f;
    p = p * x + 0x1.4ff9b4p-3f;
    p = p * x + -0x1.5407bap-3f;
    p = p * x + -0x1.7bf5e8p-4f;
    p = p * x + 0x1.46e80ep+0f;
    return p;
}

/* lgamma(1 + x) / x, for x in [-0.5, 0.5]; degree 13, error 2^-28.8 of the result */
RPP_MATH float __rpp_poly_lgamma1(float x) {
    RPP_EXACT
    float p = 0x1.417eb4p-3f;
    p = p * x + -0x1.6c55cap-3f;
    p = p * x + 0x1.b166ep-5f;
    p = p * x + -0x1.9cd86cp-5f;
    p = p * x + 0x1.acc56cp-4f;
    p = p * x + -0x1.e68e02p-4f;
    p = p * x + 0x1.007c9ep-3f;
    p = p * x + -0x1.259eaep-3f;
    p = p * x + 0x1.5b40e4p-3f;
    p = p * x + -0x1.a8c904p-3f;
    p = p * x + 0x1.15134p-2f;
    p = p * x + -0x1.9a4d36p-2f;
    p = p * x + 0x1.a51a66p-1f;
    p = p * x + -0x1.2788dp-1f;
    return p;
}

/* lgamma(2 + x) / x, for x in [-0.5, 1.0]; degree 10, error 2^-30.3 of the result */
RPP_MATH float __rpp_poly_lgamma2(float x) {
    RPP_EXACT
    float p = -0x1.58352cp-16f;
    p = p * x + 0x1.91e92ep-14f;
    p = p * x + -0x1.f47c2p-13f;
    p = p * x + 0x1.0f6c9ap-11f;
    p = p * x + -0x1.37e786p-10f;
    p = p * x + 0x1.7a943p-9f;
    p = p * x + -0x1.e40892p-8f;
    p = p * x + 0x1.513304p-6f;
    p = p * x + -0x1.13ep-4f;
    p = p * x + 0x1.4a34ccp-2f;
    p = p * x + 0x1.b0ee6p-2f;
    return p;
}

/* log(erfc(x)), for x in [1.0, 4.0]; degree 6, error 2^-29.9 of the result */
RPP_MATH float __rpp_poly_log_erfc(float x) {
    RPP_EXACT
    float p = 0x1.852c3cp-13f;
    p = p * x + -0x1.814c36p-9f;
    p = p * x + 0x1.6541dp-6f;
    p = p * x + -0x1.a60a58p-4f;
    p = p * x + -0x1.46c58ap-1f;
    p = p * x + -0x1.2085bp+0f;
    p = p * x + -0x1.72edeap-12f;
    return p;
}

/* erfinv(y) / y, in x = w - 2.5 with w = -log(1 - y^2), for x in [-2.5, 2.5]; degree 10, error 2^-28.3 of the result */
RPP_MATH float __rpp_poly_erfinv_centre(float x) {
    RPP_EXACT
    float p = 0x1.bcddeep-32f;
    p = p * x + -0x1.2c9a78p-27f;
    p = p * x + 0x1.236c7cp-26f;
    p = p * x + 0x1.f3e262p-22f;
    p = p * x + -0x1.cc33bep-19f;
    p = p * x + -0x1.4ce1cap-18f;
    p = p * x + 0x1.c9bea8p-13f;
    p = p * x + -0x1.486674p-10f;
    p = p * x + -0x1.11c3f6p-8f;
    p = p * x + 0x1.f91e8cp-3f;
    p = p * x + 0x1.805c5ep+0f;
    return p;
}

/* erfinv(y) / y, in x = sqrt(w) - 3 with w = -log(1 - y^2), for x in [-0.76393, 1.12]; degree 10, error 2^-28.9 of the result */
RPP_MATH float __rpp_poly_erfinv_tail(float x) {
    RPP_EXACT
    float p = -0x1.040066p-15f;
    p = p * x + 0x1.54c826p-13f;
    p = p * x + -0x1.20e69ap-12f;
    p = p * x + -0x1.019e94p-13f;
    p = p * x + 0x1.827072p-10f;
    p = p * x + -0x1.d35e2ep-9f;
    p = p * x + 0x1.74c36ap-8f;
    p = p * x + -0x1.f4e46ap-8f;
    p = p * x + 0x1.3580c4p-7f;
    p = p * x + 0x1.006dcap+0f;
    p = p * x + 0x1.6a9efcp+1f;
    return p;
}

/* erfinv(y) / y, in x = (sqrt(w) - 8) / (sqrt(w) + 8) with w = -log(1 - y^2), for x in [-0.32231, 0.54545]; degree 16, error 2^-29.5 of the result */
RPP_MATH float __rpp_poly_erfinv_far(float x) {
    RPP_EXACT
    float p = 0x1.aa7a64p+8f;
    p = p * x + -0x1.b4a532p+8f;
    p = p * x + 0x1.66999ap+5f;
    p = p * x + 0x1.4b1dc6p+7f;
    p = p * x + -0x1.c56cf4p+4f;
    p = p * x + -0x1.336c36p+1f;
    p = p * x + 0x1.84ce5p+4f;
    p = p * x + 0x1.0e242p+4f;
    p = p * x + 0x1.ede8a4p+3f;
    p = p * x + 0x1.fbe348p+3f;
    p = p * x + 0x1.022f22p+4f;
    p = p * x + 0x1.fcf18cp+3f;
    p = p * x + 0x1.013cdp+4f;
    p = p * x + 0x1.feb332p+3f;
    p = p * x + 0x1.0005d4p+4f;
    p = p * x + 0x1.01f286p+4f;
    p = p * x + 0x1.f822a2p+2f;
    return p;
}

/* x (lgamma(x) - (x - 1/2) log(x) + x - log(2 pi) / 2), in x^-2, for x in [1.0e-10, 0.11111]; degree 2, error 2^-28.2 of the result */
RPP_MATH float __rpp_poly_stirling(float x) {
    RPP_EXACT
    float p = 0x1.6d4584p-11f;
    p = p * x + -0x1.6b6d38p-9f;
    p = p * x + 0x1.555544p-4f;
    return p;
}

/* (e^x - 1 - x) / x^2, for x in [-0.35004, 0.35004]; degree 10, error 2^-63.8 of the result */
RPP_MATH double __rpp_poly_exp(double x) {
    double p = 0x1.1fa128aaa75d8p-29;
    p = __rpp_fma(p, x, 0x1.af720ec7051a9p-26);
    p = __rpp_fma(p, x, 0x1.27e4bcf4cc62p-22);
    p = __rpp_fma(p, x, 0x1.71ddec941482cp-19);
    p = __rpp_fma(p, x, 0x1.a01a01b57b4bcp-16);
    p = __rpp_fma(p, x, 0x1.a01a01b4ec394p-13);
    p = __rpp_fma(p, x, 0x1.6c16c16c13147p-10);
    p = __rpp_fma(p, x, 0x1.111111110e8a5p-7);
    p = __rpp_fma(p, x, 0x1.555555555555ep-5);
    p = __rpp_fma(p, x, 0x1.555555555555cp-3);
    p = __rpp_fma(p, x, 0x1p-1);
    return p;
}

/* (2^x - 1) / x, for x in [-0.505, 0.505]; degree 11, error 2^-64.2 of the result */
RPP_MATH double __rpp_poly_exp2(double x) {
    double p = 0x1.c4e10b77e4786p-36;
    p = __rpp_fma(p, x, 0x1.ea0a6b0f1d35dp-32);
    p = __rpp_fma(p, x, 0x1.e4cee36dc4b5dp-28);
    p = __rpp_fma(p, x, 0x1.b524d75b051b2p-24);
    p = __rpp_fma(p, x, 0x1.62c0224efdcd6p-20);
    p = __rpp_fma(p, x, 0x1.ffcbfc77b1be1p-17);
    p = __rpp_fma(p, x, 0x1.430912f8687d2p-13);
    p = __rpp_fma(p, x, 0x1.5d87fe78a1d26p-10);
    p = __rpp_fma(p, x, 0x1.3b2ab6fba4e83p-7);
    p = __rpp_fma(p, x, 0x1.c6b08d704a0d2p-5);
    p = __rpp_fma(p, x, 0x1.ebfbdff82c58fp-3);
    p = __rpp_fma(p, x, 0x1.62e42fefa39efp-1);
    return p;
}

/* (10^x - 1) / x, for x in [-0.152, 0.152]; degree 11, error 2^-64.2 of the result */
RPP_MATH double __rpp_poly_exp10(double x) {
    double p = 0x1.85f9258314052p-15;
    p = __rpp_fma(p, x, 0x1.fc1b2bd8a975cp-13);
    p = __rpp_fma(p, x, 0x1.2ea4e69881cap-10);
    p = __rpp_fma(p, x, 0x1.489777d57057ep-8);
    p = __rpp_fma(p, x, 0x1.4116b0728301ep-6);
    p = __rpp_fma(p, x, 0x1.16e4dfd429dcap-4);
    p = __rpp_fma(p, x, 0x1.a7ed708477532p-3);
    p = __rpp_fma(p, x, 0x1.1429ffd1d1306p-1);
    p = __rpp_fma(p, x, 0x1.2bd7609fd98cfp+0);
    p = __rpp_fma(p, x, 0x1.0470591de2cafp+1);
    p = __rpp_fma(p, x, 0x1.53524c73cea69p+1);
    p = __rpp_fma(p, x, 0x1.26bb1bbb55516p+1);
    return p;
}

/* (sin(x) / x - 1) / x^2, in x^2, for x in [0.0, 0.62925]; degree 6, error 2^-68.6 of the result */
RPP_MATH double __rpp_poly_sin(double x) {
    double p = -0x1.aa91bdbed0079p-41;
    p = __rpp_fma(p, x, 0x1.61206ba7cac26p-33);
    p = __rpp_fma(p, x, -0x1.ae64525b94b88p-26);
    p = __rpp_fma(p, x, 0x1.71de3a530b5d6p-19);
    p = __rpp_fma(p, x, -0x1.a01a01a0188b2p-13);
    p = __rpp_fma(p, x, 0x1.111111111110ap-7);
    p = __rpp_fma(p, x, -0x1.5555555555555p-3);
    return p;
}

/* (cos(x) - 1 + x^2 / 2) / x^4, in x^2, for x in [0.0, 0.62925]; degree 5, error 2^-64.0 of the result */
RPP_MATH double __rpp_poly_cos(double x) {
    double p = -0x1.8f9ad3f37e8abp-37;
    p = __rpp_fma(p, x, 0x1.1ee9c6aff8f7fp-29);
    p = __rpp_fma(p, x, -0x1.27e4f7d4c67cdp-22);
    p = __rpp_fma(p, x, 0x1.a01a019c6a9a2p-16);
    p = __rpp_fma(p, x, -0x1.6c16c16c14ec1p-10);
    p = __rpp_fma(p, x, 0x1.555555555554ap-5);
    return p;
}

/* (sin(pi x) / x - pi) / x^2, in x^2, for x in [0.0, 0.0625]; degree 6, error 2^-68.7 of the result */
RPP_MATH double __rpp_poly_sinpi(double x) {
    double p = -0x1.6c63cbb97bb19p-16;
    p = __rpp_fma(p, x, 0x1.e8eef00a9dca2p-12);
    p = __rpp_fma(p, x, -0x1.e3074b7df5d2p-8);
    p = __rpp_fma(p, x, 0x1.50783485eeb55p-4);
    p = __rpp_fma(p, x, -0x1.32d2cce62ade5p-1);
    p = __rpp_fma(p, x, 0x1.466bc6775aadbp+1);
    p = __rpp_fma(p, x, -0x1.4abbce625be53p+2);
    return p;
}

/* (cos(pi x) - 1) / x^2, in x^2, for x in [0.0, 0.0625]; degree 6, error 2^-64.7 of the result */
RPP_MATH double __rpp_poly_cospi(double x) {
    double p = -0x1.b26fe87689fd5p-14;
    p = __rpp_fma(p, x, 0x1.f9cc6acff79a7p-10);
    p = __rpp_fma(p, x, -0x1.a6d1ecb740036p-6);
    p = __rpp_fma(p, x, 0x1.e1f50683b42bdp-3);
    p = __rpp_fma(p, x, -0x1.55d3c7e3c95bcp+0);
    p = __rpp_fma(p, x, 0x1.03c1f081b5abp+2);
    p = __rpp_fma(p, x, -0x1.3bd3cc9be45dep+2);
    return p;
}

/* (asin(x) / x - 1) / x^2, in x^2, for x in [0.0, 0.25]; degree 12, error 2^-59.8 of the result */
RPP_MATH double __rpp_poly_asin(double x) {
    double p = 0x1.0bafbf8bf131ep-5;
    p = __rpp_fma(p, x, -0x1.5952a506cf38cp-6);
    p = __rpp_fma(p, x, 0x1.64918135b7168p-6);
    p = __rpp_fma(p, x, 0x1.e2c1ecb9284e8p-9);
    p = __rpp_fma(p, x, 0x1.6173c4112e5a9p-7);
    p = __rpp_fma(p, x, 0x1.757b80b4346fep-7);
    p = __rpp_fma(p, x, 0x1.ca20cd7eb47b3p-7);
    p = __rpp_fma(p, x, 0x1.1c49e2be79592p-6);
    p = __rpp_fma(p, x, 0x1.6e8bdfa674608p-6);
    p = __rpp_fma(p, x, 0x1.f1c71a8dc0fd6p-6);
    p = __rpp_fma(p, x, 0x1.6db6db7226186p-5);
    p = __rpp_fma(p, x, 0x1.333333332df7dp-4);
    p = __rpp_fma(p, x, 0x1.5555555555578p-3);
    return p;
}

/* (atan(x) / x - 1) / x^2, in x^2, for x in [0.0, 0.172]; degree 10, error 2^-59.4 of the result */
RPP_MATH double __rpp_poly_atan(double x) {
    double p = -0x1.25077ce18a783p-6;
    p = __rpp_fma(p, x, 0x1.37aa292d47b82p-5);
    p = __rpp_fma(p, x, -0x1.9cc24b16ac308p-5);
    p = __rpp_fma(p, x, 0x1.df0bcbb9bff3bp-5);
    p = __rpp_fma(p, x, -0x1.10eb7d6f1d72ep-4);
    p = __rpp_fma(p, x, 0x1.3b11142b0d7cbp-4);
    p = __rpp_fma(p, x, -0x1.745cf8987d016p-4);
    p = __rpp_fma(p, x, 0x1.c71c70e3cb03cp-4);
    p = __rpp_fma(p, x, -0x1.24924922a7b67p-3);
    p = __rpp_fma(p, x, 0x1.999999999578p-3);
    p = __rpp_fma(p, x, -0x1.555555555553dp-2);
    return p;
}

/* (tanh(x) / x - 1) / x^2, in x^2, for x in [0.0, 0.36]; degree 11, error 2^-62.7 of the result */
RPP_MATH double __rpp_poly_tanh(double x) {
    double p = 0x1.b4a8affac875fp-18;
    p = __rpp_fma(p, x, -0x1.0599cfa9b38e2p-15);
    p = __rpp_fma(p, x, 0x1.83f3eaa62705dp-14);
    p = __rpp_fma(p, x, -0x1.f21b321e4d482p-13);
    p = __rpp_fma(p, x, 0x1.3521e04a82f3cp-11);
    p = __rpp_fma(p, x, -0x1.7d9eafe064d38p-10);
    p = __rpp_fma(p, x, 0x1.d6d389328ba58p-9);
    p = __rpp_fma(p, x, -0x1.226e33f0e191ep-7);
    p = __rpp_fma(p, x, 0x1.664f48797586bp-6);
    p = __rpp_fma(p, x, -0x1.ba1ba1b9f81d3p-5);
    p = __rpp_fma(p, x, 0x1.1111111110efp-3);
    p = __rpp_fma(p, x, -0x1.5555555555554p-2);
    return p;
}

/* (sinh(x) / x - 1) / x^2, in x^2, for x in [0.0, 1.0]; degree 6, error 2^-63.2 of the result */
RPP_MATH double __rpp_poly_sinh(double x) {
    double p = 0x1.b4cf78e1d0f08p-41;
    p = __rpp_fma(p, x, 0x1.611a3a1f3f3d5p-33);
    p = __rpp_fma(p, x, 0x1.ae6467668e68ep-26);
    p = __rpp_fma(p, x, 0x1.71de3a45f71b6p-19);
    p = __rpp_fma(p, x, 0x1.a01a01a0291fcp-13);
    p = __rpp_fma(p, x, 0x1.11111111110a1p-7);
    p = __rpp_fma(p, x, 0x1.5555555555556p-3);
    return p;
}

/* (atanh(x) / x - 1) / x^2, in x^2, for x in [0.0, 0.029639]; degree 6, error 2^-59.4 of the result */
RPP_MATH double __rpp_poly_atanh(double x) {
    double p = 0x1.2f3d4a0ab1c95p-4;
    p = __rpp_fma(p, x, 0x1.399c6db3bb4b2p-4);
    p = __rpp_fma(p, x, 0x1.746670ed6dd46p-4);
    p = __rpp_fma(p, x, 0x1.c71c5122c80f6p-4);
    p = __rpp_fma(p, x, 0x1.24924942fba48p-3);
    p = __rpp_fma(p, x, 0x1.999999997ec31p-3);
    p = __rpp_fma(p, x, 0x1.5555555555595p-2);
    return p;
}

/* (atanh(x) / x - 1 - x^2 / 3) / x^4, in x^2, for x in [0.0, 0.029639]; degree 7, error 2^-64.5 of the result */
RPP_MATH double __rpp_poly_atanh5(double x) {
    double p = 0x1.eb81756d77013p-5;
    p = __rpp_fma(p, x, 0x1.de25ee2f1cf47p-5);
    p = __rpp_fma(p, x, 0x1.11210af65960bp-4);
    p = __rpp_fma(p, x, 0x1.3b13607d40108p-4);
    p = __rpp_fma(p, x, 0x1.745d183aacf18p-4);
    p = __rpp_fma(p, x, 0x1.c71c71c56ef3p-4);
    p = __rpp_fma(p, x, 0x1.24924924930c8p-3);
    p = __rpp_fma(p, x, 0x1.9999999999995p-3);
    return p;
}

/* erf(x) / x - 1, in x^2, for x in [1.0e-30, 1.0]; degree 12, error 2^-62.8 of the result */
RPP_MATH double __rpp_poly_erf(double x) {
    double p = 0x1.0626b157299c9p-34;
    p = __rpp_fma(p, x, -0x1.38abdfa682fc6p-30);
    p = __rpp_fma(p, x, 0x1.f7b98629ea849p-27);
    p = __rpp_fma(p, x, -0x1.5f1f3ea3b65cap-23);
    p = __rpp_fma(p, x, 0x1.b9df30103e451p-20);
    p = __rpp_fma(p, x, -0x1.f4d1e42e499ccp-17);
    p = __rpp_fma(p, x, 0x1.f9a321e45b859p-14);
    p = __rpp_fma(p, x, -0x1.c02db3db460b5p-11);
    p = __rpp_fma(p, x, 0x1.565bcd0dbd7dfp-8);
    p = __rpp_fma(p, x, -0x1.b82ce31284f3p-6);
    p = __rpp_fma(p, x, 0x1.ce2f21a042b34p-4);
    p = __rpp_fma(p, x, -0x1.812746b0379e6p-2);
    p = __rpp_fma(p, x, 0x1.06eba8214db69p-3);
    return p;
}

/* (1 + 2 y) e^(y^2) erfc(y), in x = (y - 4) / (y + 4), for x in [-0.8018, 0.74603]; degree 21, error 2^-58.3 of the result */
RPP_MATH double __rpp_poly_erfcx(double x) {
    double p = -0x1.669efa11aaef7p-27;
    p = __rpp_fma(p, x, -0x1.a276a8b4b727ep-27);
    p = __rpp_fma(p, x, 0x1.c534e18529445p-24);
    p = __rpp_fma(p, x, 0x1.1f45916fb9864p-24);
    p = __rpp_fma(p, x, -0x1.b977a24e06686p-21);
    p = __rpp_fma(p, x, 0x1.41d70e2b683e9p-22);
    p = __rpp_fma(p, x, 0x1.7f15baf6c1111p-18);
    p = __rpp_fma(p, x, -0x1.78a4cca861af2p-17);
    p = __rpp_fma(p, x, -0x1.99584e079eb79p-16);
    p = __rpp_fma(p, x, 0x1.3be0dd64c25c4p-13);
    p = __rpp_fma(p, x, -0x1.a1df27ccac948p-13);
    p = __rpp_fma(p, x, -0x1.8d4aa1e8694cap-11);
    p = __rpp_fma(p, x, 0x1.49c6728404b09p-8);
    p = __rpp_fma(p, x, -0x1.0962387d18033p-6);
    p = __rpp_fma(p, x, 0x1.3079edf69531dp-5);
    p = __rpp_fma(p, x, -0x1.0fb06dfe6e66bp-4);
    p = __rpp_fma(p, x, 0x1.7fee004e119cfp-4);
    p = __rpp_fma(p, x, -0x1.9ddb23c3e7aadp-4);
    p = __rpp_fma(p, x, 0x1.16ecefcfa53ebp-4);
    p = __rpp_fma(p, x, 0x1.f7f5df66fd527p-7);
    p = __rpp_fma(p, x, -0x1.1df1ad154a28fp-3);
    p = __rpp_fma(p, x, 0x1.3ba5916e9fd7fp+0);
    return p;
}

/* lgamma(1 + x) / x, for x in [-0.5, 0.5]; degree 28, error 2^-58.3 of the result */
RPP_MATH double __rpp_poly_lgamma1(double x) {
    double p = -0x1.b46cbc0f25c23p-3;
    p = __rpp_fma(p, x, 0x1.dc7d0599605d8p-3);
    p = __rpp_fma(p, x, 0x1.2d66c47177c4ap-3);
    p = __rpp_fma(p, x, -0x1.641731e4ac2f5p-3);
    p = __rpp_fma(p, x, -0x1.182347a6c9702p-3);
    p = __rpp_fma(p, x, 0x1.45b5ae1a0b076p-3);
    p = __rpp_fma(p, x, -0x1.8ecd5702fdb76p-7);
    p = __rpp_fma(p, x, 0x1.4b03aeb63c88fp-8);
    p = __rpp_fma(p, x, -0x1.bcf2e9db36ba9p-5);
    p = __rpp_fma(p, x, 0x1.e644b5e0785f2p-5);
    p = __rpp_fma(p, x, -0x1.a7349bc0909bfp-5);
    p = __rpp_fma(p, x, 0x1.babd31057f66ap-5);
    p = __rpp_fma(p, x, -0x1.e2a9ab7aab739p-5);
    p = __rpp_fma(p, x, 0x1.00b54eb497a5cp-4);
    p = __rpp_fma(p, x, -0x1.110cf4df998bap-4);
    p = __rpp_fma(p, x, 0x1.2488731668862p-4);
    p = __rpp_fma(p, x, -0x1.3b1dcf07212b3p-4);
    p = __rpp_fma(p, x, 0x1.556ba1edf9b9dp-4);
    p = __rpp_fma(p, x, -0x1.748c32b126b5p-4);
    p = __rpp_fma(p, x, 0x1.9a01dc0b0d65p-4);
    p = __rpp_fma(p, x, -0x1.c8067060a016cp-4);
    p = __rpp_fma(p, x, 0x1.010b36c588134p-3);
    p = __rpp_fma(p, x, -0x1.2703a1dd290ccp-3);
    p = __rpp_fma(p, x, 0x1.5b40cb0fc30f3p-3);
    p = __rpp_fma(p, x, -0x1.a8b9c17aa5312p-3);
    p = __rpp_fma(p, x, 0x1.151322ac7dbd2p-2);
    p = __rpp_fma(p, x, -0x1.9a4d55beab2ep-2);
    p = __rpp_fma(p, x, 0x1.a51a6625307d2p-1);
    p = __rpp_fma(p, x, -0x1.2788cfc6fb619p-1);
    return p;
}

/* lgamma(2 + x) / x, for x in [-0.5, 1.0]; degree 21, error 2^-59.2 of the result */
RPP_MATH double __rpp_poly_lgamma2(double x) {
    double p = 0x1.01c095ce9e2ccp-29;
    p = __rpp_fma(p, x, -0x1.d5b3a47b97d5dp-27);
    p = __rpp_fma(p, x, 0x1.93c186b26955cp-25);
    p = __rpp_fma(p, x, -0x1.d5ea90692e189p-24);
    p = __rpp_fma(p, x, 0x1.d8336b99799a4p-23);
    p = __rpp_fma(p, x, -0x1.e1546b87d8046p-22);
    p = __rpp_fma(p, x, 0x1.fe6677d0ffcf9p-21);
    p = __rpp_fma(p, x, -0x1.11876a7863207p-19);
    p = __rpp_fma(p, x, 0x1.25aa40079fe68p-18);
    p = __rpp_fma(p, x, -0x1.3cc19f62722a3p-17);
    p = __rpp_fma(p, x, 0x1.580d47e2b1357p-16);
    p = __rpp_fma(p, x, -0x1.78de1b52ecd1bp-15);
    p = __rpp_fma(p, x, 0x1.a127b1f3f9787p-14);
    p = __rpp_fma(p, x, -0x1.d3fd4e38f19b7p-13);
    p = __rpp_fma(p, x, 0x1.0b36af8a83eb2p-11);
    p = __rpp_fma(p, x, -0x1.38ac5c2891b31p-10);
    p = __rpp_fma(p, x, 0x1.7add6ead9d585p-9);
    p = __rpp_fma(p, x, -0x1.e404fc2196164p-8);
    p = __rpp_fma(p, x, 0x1.51322ac7d85d8p-6);
    p = __rpp_fma(p, x, -0x1.13e001a5575f1p-4);
    p = __rpp_fma(p, x, 0x1.4a34cc4a60fa6p-2);
    p = __rpp_fma(p, x, 0x1.b0ee6072093cep-2);
    return p;
}

/* x (lgamma(x) - (x - 1/2) log(x) + x - log(2 pi) / 2), in x^-2, for x in [1.0e-10, 0.015625]; degree 5, error 2^-58.6 of the result */
RPP_MATH double __rpp_poly_stirling(double x) {
    double p = -0x1.ac32084923ee1p-10;
    p = __rpp_fma(p, x, 0x1.b68b9848a12eep-11);
    p = __rpp_fma(p, x, -0x1.380d01e0e4dd1p-11);
    p = __rpp_fma(p, x, 0x1.a019fa29efa1p-11);
    p = __rpp_fma(p, x, -0x1.6c16c16b2acd9p-9);
    p = __rpp_fma(p, x, 0x1.5555555555545p-4);
    return p;
}

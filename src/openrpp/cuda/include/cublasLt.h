/* What headers mention of cuBLASLt; see cublas_v2.h. */
#pragma once
#include "cublas_v2.h"

typedef struct __rpp_blas_lt *cublasLtHandle_t;
extern "C" {
cublasStatus_t cublasLtCreate(cublasLtHandle_t *);
cublasStatus_t cublasLtDestroy(cublasLtHandle_t);
}

/* OpenRPP's CUDA C++ for the device pass, and the host's runtime API. Included in front of every source. */
#pragma once

#include "rpp/qualifiers.h"
#include "rpp/vector_types.h"
#include "rpp/builtin_variables.h"
#include "rpp/math.h"
#include "rpp/conversions.h"
#include "rpp/integers.h"
#include "rpp/simd.h"
#include "rpp/atomics.h"
#include "rpp/warp.h"
#include "rpp/side.h"
#include "rpp/texture.h"
#include "rpp/host_api.h"

/* Whole programs rely on these as if the SDK's header brought them. Behind our own, so that `std::exp` and the like name
   our functions too. */
#ifdef RPP_PROGRAM
#include <cmath>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#endif

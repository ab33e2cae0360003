// A 5x5 filter over 8-bit images: out = clamp(round(scale sum(tap pixel) + bias), 0, 255).
//
// Planes are words of 0..255 with two pixels of border on each side, all planes one after another. Threads count through
// the whole memory of the padded planes: thread i makes the result whose window starts at word i, so the 25 pixels of a
// window are at fixed distances and every access is contiguous. The results for windows that hang over the right or lower
// border are rubbish that nobody reads.
//
// Two passes in one launch, since blocks run in order with z outermost: blockIdx.z = 0 turns pixels into bf16 (exact up to
// 255) and, in the first block, lays the taps out in memory; blockIdx.z = 1 filters. A tap is then one column: pixel
// through the sequential port, tap through the gather port (all lanes the same word), multiply-add into VAB. DVA walks the
// taps; each column reads it and makes it anew, so no token needs a FORWARD and the masks are left to this text.

.forward manual

.param .u32 pixels       // 16-bit words, 0 to 255
.param .u32 work         // same size, for the bf16 pixels
.param .u32 out          // same size; results are 16-bit words
.param .u32 taps         // room for 96 words
.param .u32 pitch        // bytes of a padded row
.param .u32 scale        // float32
.param .u32 bias         // float32
.param .u32 tap00        // the taps as bf16, row after row
.param .u32 tap01
.param .u32 tap02
.param .u32 tap03
.param .u32 tap04
.param .u32 tap10
.param .u32 tap11
.param .u32 tap12
.param .u32 tap13
.param .u32 tap14
.param .u32 tap20
.param .u32 tap21
.param .u32 tap22
.param .u32 tap23
.param .u32 tap24
.param .u32 tap30
.param .u32 tap31
.param .u32 tap32
.param .u32 tap33
.param .u32 tap34
.param .u32 tap40
.param .u32 tap41
.param .u32 tap42
.param .u32 tap43
.param .u32 tap44

.var .u32 %p
.var .u32 %at            // bytes before this block's first pixel
.var .u32 %two
.var .u32 %down          // from the last pixel of a window's row to the first of its next
.var .u32 %scale
.var .u32 %bias
.var .u32 %white
.var .u32 %whole
.var .u16 %x
.var .u16 %y
.var .u16 %n
.var .u16 %one
.var .u16 %t
.var .u16 %u

// The last block of a pass may be shorter.
LDPARAM.U16 [tbDim.x], %x
LDPARAM.U16 [tbDim.y], %y
LDPARAM.U16 [tid_xyz], %n
MUL.U16.WIDE %blockIdx.x, %x, %at
SHL.U32 %at, 1, %at
MOVE.U16 1, %one
MOVE.U32 2, %two
ADD.U16 %blockIdx.x, %one, %t
LDPARAM.U16 [grid_dim_x], %u
CMP.U16.EQ %t, %u, %t
JMPNC %t, $SHAPE
LDPARAM.U16 [dimx_shadow], %x
LDPARAM.U16 [dimy_shadow], %y
LDPARAM.U16 [xyzcfg_shadow], %n
$SHAPE:
CFGXYZ %x, %y, %n
JMPC %blockIdx.z, $SECOND

LDPARAM.U32 [pixels], %p
ADD.U32 %p, %at, %p
LOADCONT %p, MB
CVT.U8.F16 MB, VA
##
LDPARAM.U32 [work], %p
ADD.U32 %p, %at, %p
STORECONT %p, VA
##
JMPC %blockIdx, $END

// The taps, once. There is no store of a single word: 64 threads store the tap to its place and the 63 words behind it,
// then the next tap one word further. All 25 final words come from the first warp, so they land in this order.
MOVE.U16 64, %x
CFGXYZ %x, %one, %x
LDPARAM.U32 [taps], %p
LDPARAM.U16 [tap00], %t
MOVE.U16 %t, VA
##
LDPARAM.U16 [tap01], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap02], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap03], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap04], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap10], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap11], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap12], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap13], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap14], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap20], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap21], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap22], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap23], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap24], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap30], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap31], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap32], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap33], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap34], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap40], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap41], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap42], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap43], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
LDPARAM.U16 [tap44], %t
STORECONT %p, VA
MOVE.U16 %t, VA
##
ADD.U32 %p, %two, %p
STORECONT %p, VA
##
JMP $END
##

// The first block of the second pass waits for all stores of the first pass, since windows reach into other blocks.
$SECOND:
JMPC %blockIdx.x, $FILTER
DMB_ORI
##
$FILTER:
LDPARAM.U32 [work], %p
ADD.U32 %p, %at, %p
LDPARAM.U32 [pitch], %down
MOVE.U32 8, %scale
SUB.U32 %down, %scale, %down
LDPARAM.U32 [taps], %bias
MOVE.U16 5, %n
MMOV %bias, DVA
MOVE.U32 0, VAB
##
$ROW:
LOADCONT %p, MB
LOAD [DVA], MA
MADD DVA, 2, DVA
HFMA MB, MA, VAB, VAB
##
ADD.U32 %p, %two, %p
LOADCONT %p, MB
LOAD [DVA], MA
MADD DVA, 2, DVA
HFMA MB, MA, VAB, VAB
##
ADD.U32 %p, %two, %p
LOADCONT %p, MB
LOAD [DVA], MA
MADD DVA, 2, DVA
HFMA MB, MA, VAB, VAB
##
ADD.U32 %p, %two, %p
LOADCONT %p, MB
LOAD [DVA], MA
MADD DVA, 2, DVA
HFMA MB, MA, VAB, VAB
##
ADD.U32 %p, %two, %p
LOADCONT %p, MB
LOAD [DVA], MA
MADD DVA, 2, DVA
HFMA MB, MA, VAB, VAB
##
ADD.U32 %p, %down, %p
SUB.U16 %n, %one, %n
JMPC %n, $ROW

// Scale, shift, clamp. Adding 2^23 rounds to a whole number, nearest even, and leaves it in the low half.
LDPARAM.U32 [scale], %scale
LDPARAM.U32 [bias], %bias
MOVE.U32 0x437F0000, %white
MOVE.U32 0x4B000000, %whole
TERM DVA
MUL.F32 VAB, %scale, VAB
##
ADD.F32 VAB, %bias, VAB
##
MAX.F32 VAB, 0, VAB
##
MIN.F32 VAB, %white, VAB
##
ADD.F32 VAB, %whole, VAB
##
LDPARAM.U32 [out], %p
ADD.U32 %p, %at, %p
STORECONT %p, VA
##
$END:
##

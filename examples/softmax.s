// Softmax of rows of bf16 scores. Thread = row; the row is the loop, since lanes cannot be added to each other.
//
// out[r][c] = exp(x - max) / sum, in three passes over the row: the largest value; exp through a table of all 65536 bf16
// numbers, with the sum in float32; times the reciprocal of the sum, from a table again. Where an element lies is
// row_bytes r + col_bytes c, so rows may be stored either way. Row after row wants an odd number of words per row: then
// the 32 lanes of a warp, which read the same place of 32 rows, meet 32 different banks.

.param .u32 in           // scores in SRAM
.param .u32 out          // may be the same place
.param .u32 exp          // table of exp, indexed by the bits
.param .u32 reciprocal   // table of 1/x, indexed by the bits
.param .u32 row_bytes    // below 65536
.param .u32 col_bytes    // below 65536
.param .u32 cols

.var .u32 %in
.var .u32 %out
.var .u32 %there         // from an element's score to its result
.var .u32 %back          // and on to the next score
.var .u32 %table
.var .u32 %t
.var .u32 %u
.var .u16 %x
.var .u16 %y
.var .u16 %n
.var .u16 %row
.var .u16 %step
.var .u16 %one
.var .u16 %cols
.var .u16 %left

// The last block may hold fewer rows.
LDPARAM.U16 [tbDim.x], %x
LDPARAM.U16 [tbDim.y], %y
LDPARAM.U16 [tid_xyz], %n
MUL.U16.WIDE %blockIdx.x, %x, %u         // first row of the block
MOVE.U16 1, %one
ADD.U16 %blockIdx.x, %one, %left
LDPARAM.U16 [grid_dim_x], %cols
CMP.U16.EQ %left, %cols, %left
JMPNC %left, $SHAPE
LDPARAM.U16 [dimx_shadow], %x
LDPARAM.U16 [dimy_shadow], %y
LDPARAM.U16 [xyzcfg_shadow], %n
$SHAPE:
CFGXYZ %x, %y, %n

LDPARAM.U32 [tid_base], %in
LDPARAM.U32 [tid_depack], %out
LDPARAM.U32 [row_bytes], %t
MUL.U32 %u, %t, %u
LOADCONT %in, MB
DECTID.X MB, %out, VA
##
LDPARAM.U16 [row_bytes], %row
LDPARAM.U32 [in], %in
LDPARAM.U32 [out], %out
ADD.U32 %in, %u, %in
ADD.U32 %out, %u, %out
SUB.U32 %out, %in, %there
LDPARAM.U32 [col_bytes], %t
SUB.U32 %t, %there, %back
LDPARAM.U16 [col_bytes], %step
LDPARAM.U16 [cols], %cols
MUL.U16.WIDE VA, %row, VAB
##
// Wipe: everything that lives in a loop is defined before it. ICD keeps the lane's row offset.
MOVE.U16 %cols, %left
MADD.SCA32 VAB, %in, DVA
COPY VAB, ICD
COPY VAB, IAB
COPYEXT VAB, IEF
COPYEXT VAB, IGH
MOVE.U16 0xFF80, VA                      // minus infinity
##

// Pass 1: the largest score, in VA.
$LARGEST:
LOAD [DVA], MA
MADD DVA, %step, DVA
MAX.F16 MA, VA, VA
##
SUB.U16 %left, %one, %left
JMPC %left, $LARGEST

// Pass 2: exp of the distance to it, and the sum: IGH, newest value in VAB.
MOVE.U16 %cols, %left
LDPARAM.U32 [exp], %table
MADD.SCA32 ICD, %in, DVA
COPYEXT VA, IE
MOVE.U32 0, VAB
##
$EXP:
LOAD [DVA], MA
MADD.SCA32 DVA, %there, DVA
COPYEXT VAB, IGH
SUB.F16 MA, IE, VA
##
LOAD [%table + (VA << 1)], MA
COPY MA, IA
CVT.F16.F32 MA, VAB
##
STORE IA, [DVA]
MADD.SCA32 DVA, %back, DVA
ADD.F32 VAB, IGH, VAB
##
SUB.U16 %left, %one, %left
JMPC %left, $EXP

// The sum as bf16, nearest even (the conversion instruction truncates), and its reciprocal in IB.
MOVE.U16 %cols, %left
MOVE.U32 1, %t
MOVE.U32 0x7FFF, %u
LDPARAM.U32 [reciprocal], %table
COPYEXT VAB, IGH
SHR.U32 VAB, 16, VAB
##
AND.U32 VAB, %t, VAB
##
ADD.U32 VAB, %u, VAB
##
ADD.U32 VAB, IGH, VAB
##
LOAD [%table + (VB << 1)], IB
MADD.SCA32 ICD, %out, DVA
##

// Pass 3 reads what pass 2 stored. Each lane reads its own words only, but nothing promises that a gather sees an earlier
// scatter of its lane, so wait for the stores.
DMB_ORI
##
$SCALE:
LOAD [DVA], MA
MUL.F16 MA, IB, VA
##
STORE VA, [DVA]
MADD DVA, %step, DVA
##
SUB.U16 %left, %one, %left
JMPC %left, $SCALE
##

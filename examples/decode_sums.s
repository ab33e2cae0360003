// The sum of each group of 32 activations, for decode.s. Thread = group.
//
// A record is 34 words: S (float32, low word first), then the 32 values of x (bf16). The host or an earlier kernel writes x;
// this one writes S. 34 words apart, neighbouring lanes meet in a memory bank only two by two.

.param .u32 x            // records in SRAM

.var .u32 %x
.var .u32 %tid
.var .u32 %depack
.var .u16 %one
.var .u16 %left
.var .u16 %record
.var .u16 %n

LDPARAM.U16 [tbDim.x], %one
LDPARAM.U16 [tbDim.y], %left
LDPARAM.U16 [tid_xyz], %n
CFGXYZ %one, %left, %n
LDPARAM.U32 [tid_base], %tid
LDPARAM.U32 [tid_depack], %depack
MOVE.U16 1, %one
MOVE.U16 32, %left
MOVE.U16 68, %record
LOADCONT %tid, MB
DECTID.X MB, %depack, VA
##
LDPARAM.U32 [x], %x
MOVE.U32 4, %tid
ADD.U32 %x, %tid, %x                     // behind the place of the sum
MUL.U16.WIDE VA, %record, VAB
##
MADD.SCA32 VAB, %x, DVA
MOVE.U32 0, VAB
##
COPY VAB, IAB                            // IAB is defined here so that the loop finds it alive on both ways in
##

$NEXT:
COPY VAB, IAB
LOAD [DVA], MA
MADD DVA, 2, DVA
CVT.F16.F32 MA, VAB
##
ADD.F32 VAB, IAB, VAB
##
SUB.U16 %left, %one, %left
JMPC %left, $NEXT

MSUB DVA, %record, DVA                   // back to the sum of this record
##
STORE VA, [DVA]
MADD DVA, 2, DVA
##
STORE VB, [DVA]
##

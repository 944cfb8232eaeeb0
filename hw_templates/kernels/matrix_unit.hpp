// Dense matrix-vector-threshold unit: vectors products of an mh x mw matrix per frame, PE x SIMD products
// per cycle, vectors * NF * SF cycles (FINN: MVAU). The input is read in the first of the NF passes and kept.
// One loop over all frames: the unit waits for a word or for room, and never restarts.
//
// UNIT has mh, mw, vectors, pe, simd and what dot.hpp and activation.hpp ask for.
#ifndef DSE_MATRIX_UNIT_HPP
#define DSE_MATRIX_UNIT_HPP

#include <hls_stream.h>

#include "activation.hpp"
#include "trips.hpp"

namespace dse {

template <typename UNIT>
using MatrixWeights =
    typename Arithmetic<UNIT>::weight_chunk[UNIT::mh / UNIT::pe * (UNIT::mw / UNIT::simd)][UNIT::pe]
                                           [Arithmetic<UNIT>::Weights::chunks];
template <typename UNIT>
using MatrixRows = typename Activation<UNIT>::Row[UNIT::mh / UNIT::pe][UNIT::pe];

// Where a matrix unit is in its vector.
template <typename UNIT>
struct MatrixState {
  ap_uint<UNIT::simd * UNIT::in_bits> kept[UNIT::mw / UNIT::simd];
  typename Arithmetic<UNIT>::sum sums[UNIT::pe];
  unsigned nf, sf, step;
};

// One step; true where it is the last one of a vector.
template <typename UNIT>
bool matrix_step(MatrixState<UNIT> &at, hls::stream<ap_uint<UNIT::simd * UNIT::in_bits>> &in,
                 hls::stream<ap_uint<UNIT::pe * UNIT::word_bits>> &out, const MatrixWeights<UNIT> &weights,
                 const MatrixRows<UNIT> &rows) {
#pragma HLS INLINE
  typedef Arithmetic<UNIT> Math;
  constexpr unsigned NF = UNIT::mh / UNIT::pe, SF = UNIT::mw / UNIT::simd;
  ap_uint<UNIT::simd * UNIT::in_bits> word;
  if (at.nf == 0) {
    word = in.read();
    at.kept[at.sf] = word;
  } else {
    word = at.kept[at.sf];
  }
  typename Math::input_chunk x[Math::Inputs::chunks];
#pragma HLS ARRAY_PARTITION variable = x complete
  split<UNIT::simd, UNIT::in_bits>(word, x);
  for (unsigned p = 0; p < UNIT::pe; p++) {
#pragma HLS UNROLL
    const typename Math::partial dot = Math::dot(weights[at.step][p], x);
    at.sums[p] = (at.sf == 0 ? typename Math::sum(0) : at.sums[p]) + dot;
  }
  at.step++;
  if (++at.sf < SF) return false;
  ap_uint<UNIT::pe * UNIT::word_bits> result;
  for (unsigned p = 0; p < UNIT::pe; p++) {
#pragma HLS UNROLL
    result.range((p + 1) * UNIT::word_bits - 1, p * UNIT::word_bits) =
        Activation<UNIT>::apply(at.sums[p], rows[at.nf][p]);
  }
  out.write(result);
  at.sf = 0;
  if (++at.nf < NF) return false;
  at.nf = 0;
  at.step = 0;
  return true;
}

template <typename UNIT>
void matrix_unit(hls::stream<ap_uint<UNIT::simd * UNIT::in_bits>> &in,
                 hls::stream<ap_uint<UNIT::pe * UNIT::word_bits>> &out, unsigned frames,
                 const MatrixWeights<UNIT> &weights, const MatrixRows<UNIT> &rows) {
#pragma HLS INLINE
  MatrixState<UNIT> at = {};
#pragma HLS ARRAY_PARTITION variable = at.sums complete
  for (unsigned frame = 0; frame < frames; frame++) {
    for (unsigned i = 0; i < UNIT::vectors * (UNIT::mh / UNIT::pe) * (UNIT::mw / UNIT::simd); i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
      count_trip<UNIT>();
      matrix_step<UNIT>(at, in, out, weights, rows);
    }
  }
}

// The same for as many vectors as there are tokens: 1 in front of a vector, 0 at the end of a frame, which takes a
// cycle of its own.
template <typename UNIT>
void gated_matrix_unit(hls::stream<ap_uint<UNIT::simd * UNIT::in_bits>> &in, hls::stream<ap_uint<1>> &tokens,
                       hls::stream<ap_uint<UNIT::pe * UNIT::word_bits>> &out, unsigned frames,
                       const MatrixWeights<UNIT> &weights, const MatrixRows<UNIT> &rows) {
#pragma HLS INLINE
  MatrixState<UNIT> at = {};
#pragma HLS ARRAY_PARTITION variable = at.sums complete
  bool between = true;  // two vectors
  unsigned frame = 0;
  while (frame < frames) {
#pragma HLS PIPELINE II = 1
    count_trip<UNIT>();
    if (between && tokens.read() == 0) {
      frame++;
      continue;
    }
    between = matrix_step<UNIT>(at, in, out, weights, rows);
  }
}

}  // namespace dse

#endif

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
void matrix_unit(
    hls::stream<ap_uint<UNIT::simd * UNIT::in_bits>> &in,
    hls::stream<ap_uint<UNIT::pe * UNIT::word_bits>> &out, unsigned frames,
    const typename Arithmetic<UNIT>::weight_chunk (&weights)[UNIT::mh / UNIT::pe * (UNIT::mw / UNIT::simd)]
                                                            [UNIT::pe]
                                                            [Arithmetic<UNIT>::Weights::chunks],
    const typename Activation<UNIT>::Row (&rows)[UNIT::mh / UNIT::pe][UNIT::pe]) {
#pragma HLS INLINE
  typedef Arithmetic<UNIT> Math;
  constexpr unsigned NF = UNIT::mh / UNIT::pe, SF = UNIT::mw / UNIT::simd;
  ap_uint<UNIT::simd * UNIT::in_bits> kept[SF];
  typename Math::sum sums[UNIT::pe];
#pragma HLS ARRAY_PARTITION variable = sums complete

  unsigned nf = 0, sf = 0, step = 0;
  for (unsigned frame = 0; frame < frames; frame++) {
    for (unsigned i = 0; i < UNIT::vectors * NF * SF; i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
      count_trip<UNIT>();
      ap_uint<UNIT::simd * UNIT::in_bits> word;
      if (nf == 0) {
        word = in.read();
        kept[sf] = word;
      } else {
        word = kept[sf];
      }
      typename Math::input_chunk x[Math::Inputs::chunks];
#pragma HLS ARRAY_PARTITION variable = x complete
      split<UNIT::simd, UNIT::in_bits>(word, x);
      for (unsigned p = 0; p < UNIT::pe; p++) {
#pragma HLS UNROLL
        const typename Math::partial dot = Math::dot(weights[step][p], x);
        sums[p] = (sf == 0 ? typename Math::sum(0) : sums[p]) + dot;
      }
      step++;
      if (++sf == SF) {
        ap_uint<UNIT::pe * UNIT::word_bits> result;
        for (unsigned p = 0; p < UNIT::pe; p++) {
#pragma HLS UNROLL
          result.range((p + 1) * UNIT::word_bits - 1, p * UNIT::word_bits) =
              Activation<UNIT>::apply(sums[p], rows[nf][p]);
        }
        out.write(result);
        sf = 0;
        if (++nf == NF) {
          nf = 0;
          step = 0;
        }
      }
    }
  }
}

}  // namespace dse

#endif

// Stream width converter: words of in_width elements in, words of out_width elements out, one word of the
// narrower side per cycle (FINN: StreamingDataWidthConverter).
//
// Where neither width divides the other, elements wait in a register of in_width + out_width of them.
//
// UNIT has in_width, out_width, bits (of one element) and elements (per frame, a multiple of both widths).
#ifndef DSE_WIDTH_CONVERTER_HPP
#define DSE_WIDTH_CONVERTER_HPP

#include <hls_stream.h>

#include "numbers.hpp"
#include "trips.hpp"

namespace dse {

template <typename UNIT>
void width_converter(hls::stream<ap_uint<UNIT::in_width * UNIT::bits>> &in,
                     hls::stream<ap_uint<UNIT::out_width * UNIT::bits>> &out, unsigned frames) {
#pragma HLS INLINE
  constexpr unsigned A = UNIT::in_width, B = UNIT::out_width, BITS = UNIT::bits;
  if (B % A == 0) {
    // shift in from the top: after B / A words the first one lies at the bottom
    ap_uint<B * BITS> word = 0;
    unsigned held = 0;
    for (unsigned frame = 0; frame < frames; frame++) {
      for (unsigned i = 0; i < UNIT::elements / A; i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
        count_trip<UNIT>();
        word >>= A * BITS;
        word.range(B * BITS - 1, (B > A ? B - A : 0) * BITS) = in.read();
        if (++held == B / A) {
          out.write(word);
          held = 0;
        }
      }
    }
  } else if (A % B == 0) {
    ap_uint<A * BITS> word = 0;
    unsigned held = 0;
    for (unsigned frame = 0; frame < frames; frame++) {
      for (unsigned i = 0; i < UNIT::elements / B; i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
        count_trip<UNIT>();
        if (held == 0) {
          word = in.read();
          held = A / B;
        }
        out.write(word.range(B * BITS - 1, 0));
        word >>= B * BITS;
        held--;
      }
    }
  } else {
    ap_uint<(A + B) * BITS> waiting = 0;
    unsigned held = 0;  // elements
    for (unsigned frame = 0; frame < frames; frame++) {
      for (unsigned i = 0; i < UNIT::elements / smaller(A, B); i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
        count_trip<UNIT>();
        if (A < B || held < B) {
          waiting |= ap_uint<(A + B) * BITS>(in.read()) << (held * BITS);
          held += A;
        }
        if (A > B || held >= B) {
          out.write(waiting.range(B * BITS - 1, 0));
          waiting >>= B * BITS;
          held -= B;
        }
      }
    }
  }
}

}  // namespace dse

#endif

// Stream width converter: words of in_width elements in, words of out_width elements out, one word of the
// narrower side per cycle (FINN: StreamingDataWidthConverter).
//
// Where neither width divides the other, elements wait in a register of in_width + out_width of them.
//
// UNIT has in_width, out_width, bits (of one element) and elements (a multiple of both widths): those of a frame,
// or of a vector where there are tokens.
#ifndef DSE_WIDTH_CONVERTER_HPP
#define DSE_WIDTH_CONVERTER_HPP

#include <hls_stream.h>

#include "numbers.hpp"
#include "trips.hpp"

namespace dse {

template <typename UNIT>
struct Converting {
  static constexpr unsigned A = UNIT::in_width, B = UNIT::out_width;
  static constexpr unsigned room = B % A == 0 ? B : A % B == 0 ? A : A + B;  // elements
  static constexpr unsigned steps = UNIT::elements / smaller(A, B);
  ap_uint<room * UNIT::bits> waiting;
  unsigned held;  // elements
};

template <typename UNIT>
void converter_step(Converting<UNIT> &s, hls::stream<ap_uint<UNIT::in_width * UNIT::bits>> &in,
                    hls::stream<ap_uint<UNIT::out_width * UNIT::bits>> &out) {
#pragma HLS INLINE
  constexpr unsigned A = UNIT::in_width, B = UNIT::out_width, BITS = UNIT::bits;
  if (B % A == 0) {
    // shift in from the top: after B / A words the first one lies at the bottom
    s.waiting >>= A * BITS;
    s.waiting.range(B * BITS - 1, (B > A ? B - A : 0) * BITS) = in.read();
    s.held += A;
    if (s.held == B) {
      out.write(s.waiting);
      s.held = 0;
    }
  } else if (A % B == 0) {
    if (s.held == 0) {
      s.waiting = in.read();
      s.held = A;
    }
    out.write(s.waiting.range(B * BITS - 1, 0));
    s.waiting >>= B * BITS;
    s.held -= B;
  } else {
    if (A < B || s.held < B) {
      s.waiting |= ap_uint<(A + B) * BITS>(in.read()) << (s.held * BITS);
      s.held += A;
    }
    if (A > B || s.held >= B) {
      out.write(s.waiting.range(B * BITS - 1, 0));
      s.waiting >>= B * BITS;
      s.held -= B;
    }
  }
}

template <typename UNIT>
void width_converter(hls::stream<ap_uint<UNIT::in_width * UNIT::bits>> &in,
                     hls::stream<ap_uint<UNIT::out_width * UNIT::bits>> &out, unsigned frames) {
#pragma HLS INLINE
  Converting<UNIT> s = {0, 0};
  for (unsigned frame = 0; frame < frames; frame++) {
    for (unsigned i = 0; i < Converting<UNIT>::steps; i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
      count_trip<UNIT>();
      converter_step<UNIT>(s, in, out);
    }
  }
}

// The same for as many vectors as there are tokens (gated_matrix_unit); tokens go on to the next unit.
template <typename UNIT>
void gated_width_converter(hls::stream<ap_uint<UNIT::in_width * UNIT::bits>> &in, hls::stream<ap_uint<1>> &tokens,
                           hls::stream<ap_uint<UNIT::out_width * UNIT::bits>> &out,
                           hls::stream<ap_uint<1>> &tokens_out, unsigned frames) {
#pragma HLS INLINE
  Converting<UNIT> s = {0, 0};
  unsigned step = 0, frame = 0;
  while (frame < frames) {
#pragma HLS PIPELINE II = 1
    count_trip<UNIT>();
    if (step == 0) {
      const ap_uint<1> token = tokens.read();
      tokens_out.write(token);
      if (token == 0) {
        frame++;
        continue;
      }
    }
    converter_step<UNIT>(s, in, out);
    if (++step == Converting<UNIT>::steps) step = 0;
  }
}

}  // namespace dse

#endif

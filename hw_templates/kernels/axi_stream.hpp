// The borders of an accelerator: AXI-Stream words of WIDTH bits hold one word of the first or last unit in
// their low bits.
#ifndef DSE_AXI_STREAM_HPP
#define DSE_AXI_STREAM_HPP

#include <ap_axi_sdata.h>
#include <hls_stream.h>

#include "numbers.hpp"

namespace dse {

template <unsigned WIDTH, unsigned BITS, unsigned WORDS>
void read_frames(hls::stream<ap_axiu<WIDTH, 0, 0, 0>> &in, hls::stream<ap_uint<BITS>> &out,
                 unsigned frames) {
#pragma HLS INLINE
  for (unsigned frame = 0; frame < frames; frame++) {
    for (unsigned i = 0; i < WORDS; i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
      out.write(in.read().data.range(BITS - 1, 0));
    }
  }
}

// Signed words are sign-extended; TLAST marks the last word of a frame.
template <unsigned WIDTH, unsigned BITS, unsigned WORDS>
void write_frames(hls::stream<ap_uint<BITS>> &in, hls::stream<ap_axiu<WIDTH, 0, 0, 0>> &out,
                  unsigned frames) {
#pragma HLS INLINE
  for (unsigned frame = 0; frame < frames; frame++) {
    for (unsigned i = 0; i < WORDS; i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
      ap_axiu<WIDTH, 0, 0, 0> word;
      word.data = ap_int<WIDTH>(ap_int<BITS>(in.read()));
      word.keep = -1;
      word.strb = -1;
      word.last = i == WORDS - 1;
      out.write(word);
    }
  }
}

}  // namespace dse

#endif

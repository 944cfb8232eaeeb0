// Adds the words of two streams (FINN: AddStreams) and cuts every sum off at 0 and at the largest code: ReLU
// and quantisation at once, since both streams carry codes of one step. One word of each per cycle.
//
// UNIT has pixels, channels, pe (channels per word), bits (of an element of either input and of the output),
// first_signed and second_signed (the elements of that input are two's complement; the output is unsigned).
#ifndef DSE_STREAM_ADD_HPP
#define DSE_STREAM_ADD_HPP

#include <hls_stream.h>

#include "numbers.hpp"
#include "trips.hpp"

namespace dse {

template <typename UNIT>
void stream_add(hls::stream<ap_uint<UNIT::pe * UNIT::bits>> &first,
                hls::stream<ap_uint<UNIT::pe * UNIT::bits>> &second,
                hls::stream<ap_uint<UNIT::pe * UNIT::bits>> &out, unsigned frames) {
#pragma HLS INLINE
  typedef ap_uint<UNIT::pe * UNIT::bits> Word;
  typedef integer<UNIT::bits + 2> Sum;
  const Sum largest = (1 << UNIT::bits) - 1;
  for (unsigned frame = 0; frame < frames; frame++) {
    for (unsigned i = 0; i < UNIT::pixels * (UNIT::channels / UNIT::pe); i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
      count_trip<UNIT>();
      const Word a = first.read(), b = second.read();
      Word sums;
      for (unsigned p = 0; p < UNIT::pe; p++) {
#pragma HLS UNROLL
        const unsigned low = p * UNIT::bits, high = low + UNIT::bits - 1;
        const ap_uint<UNIT::bits> ea = a.range(high, low), eb = b.range(high, low);
        const Sum va = element<UNIT::bits, UNIT::first_signed>(ea.to_uint(), 0);
        const Sum vb = element<UNIT::bits, UNIT::second_signed>(eb.to_uint(), 0);
        const Sum sum = va + vb;
        ap_uint<UNIT::bits> code = sum;
        if (sum < 0) code = 0;
        if (sum > largest) code = largest;
        sums.range(high, low) = code;
      }
      out.write(sums);
    }
  }
}

}  // namespace dse

#endif

// Sliding window unit: a map in, its kernel x kernel windows out in order (ky, kx, channel)
// (FINN: ConvolutionInputGenerator). Padding is written here, never loaded: code 0, which is 0, and -1 in
// a bipolar map.
//
// Rows that a window needs wait in a ring. Every cycle two things are done, each by the state before the
// cycle and neither waiting for the other:
//   load   the next input word is taken where one is there and the ring has room for its row (rows that
//          no window needs are taken and dropped);
//   write  the next word of a window is written where the stream has room and the word is padding or was
//          loaded in an earlier cycle.
// A row leaves the ring with the last word of the last output row that needs it. So a frame takes the
// larger of its input and its output words, in cycles, and the next one is loaded meanwhile.
//
// UNIT has height, width, channels, kernel, stride, padding, simd (channels per word), bits and ring_rows.
#ifndef DSE_SLIDING_WINDOW_HPP
#define DSE_SLIDING_WINDOW_HPP

#include <hls_stream.h>

#include "numbers.hpp"
#include "trips.hpp"

namespace dse {

template <typename UNIT>
void sliding_window(hls::stream<ap_uint<UNIT::simd * UNIT::bits>> &in,
                    hls::stream<ap_uint<UNIT::simd * UNIT::bits>> &out, unsigned frames) {
#pragma HLS INLINE
  typedef ap_uint<UNIT::simd * UNIT::bits> Word;
  constexpr int H = UNIT::height, W = UNIT::width;
  constexpr int K = UNIT::kernel, S = UNIT::stride, P = UNIT::padding;
  static_assert(P < K, "every window needs a row and a column of the map");
  constexpr unsigned WORDS = UNIT::channels / UNIT::simd, ROW_WORDS = W * WORDS;
  constexpr int RING = UNIT::ring_rows;
  constexpr int OUT_ROWS = (H + 2 * P - K) / S + 1, OUT_COLS = (W + 2 * P - K) / S + 1;
  constexpr int ADVANCE = S < K ? S : K;  // rows that an output row is done with
  constexpr int NEEDED = (OUT_ROWS - 1) * S - P + K < H ? (OUT_ROWS - 1) * S - P + K : H;

  Word ring[RING][ROW_WORDS];
#pragma HLS ARRAY_PARTITION variable = ring complete dim = 1
  // A cycle never reads the word it stores: that word is not there yet. A place is stored to again not
  // before a whole output row, at least OUT_COLS * WORDS cycles, after its last read. It may be read in
  // the cycle after the store, which is what the tool assumes.
  constexpr unsigned REUSE = OUT_COLS * WORDS;
#pragma HLS DEPENDENCE variable = ring type = intra dependent = false
#pragma HLS DEPENDENCE variable = ring type = inter direction = WAR distance = REUSE dependent = true

  // whole rows in the ring; -1 while the end of a row comes that the windows have no use for
  int stored = 0;
  unsigned loaded = 0, load_at = 0;                // frames; word of the row being loaded
  int load_row = 0, load_slot = 0, phase = P % S;  // that row; its place in the ring; in the stride
  unsigned written = 0, channel = 0;               // frames
  int out_row = 0, out_col = 0, ky = 0, kx = 0;
  int first = 0, top = -P, left = -P;  // place in the ring, and corner, of the window
  while (loaded < frames || written < frames) {
#pragma HLS PIPELINE II = 1
    count_trip<UNIT>();
    const bool keep = load_row < NEEDED && (S <= K || phase < K);
    const int row = top + ky, col = left + kx;
    const bool padding = row < 0 || row >= H || col < 0 || col >= W;
    const int place = row - (top > 0 ? top : 0);  // among the rows of the ring
    const unsigned at = padding ? 0 : col * WORDS + channel;
    const bool present = padding || place < stored || (place == stored && keep && at < load_at);
    const bool write = written < frames && present && !out.full();
    const bool load = loaded < frames && (!keep || stored < RING) && !in.empty();
    int freed = 0, completed = 0;
    if (write) {
      const int slot = first + place < RING ? first + place : first + place - RING;
      out.write(padding ? Word(0) : ring[slot][at]);
      if (++channel == WORDS) {
        channel = 0;
        if (++kx == K) {
          kx = 0;
          if (++ky == K) {
            ky = 0;
            left += S;
            if (++out_col == OUT_COLS) {
              out_col = 0;
              left = -P;
              const bool last = out_row == OUT_ROWS - 1;
              const int end = top + (last ? K : ADVANCE);
              freed = (end < 0 ? 0 : end > H ? H : end) - (top > 0 ? top : 0);
              first = first + freed < RING ? first + freed : first + freed - RING;
              top = last ? -P : top + S;
              out_row = last ? 0 : out_row + 1;
              written += last;
            }
          }
        }
      }
    }
    if (load) {
      const Word word = in.read();
      if (keep) ring[load_slot][load_at] = word;
      if (++load_at == ROW_WORDS) {
        load_at = 0;
        if (keep) {
          completed = 1;
          load_slot = load_slot + 1 < RING ? load_slot + 1 : 0;
        }
        if (++phase == S) phase = 0;
        if (++load_row == H) {
          load_row = 0;
          phase = P % S;
          loaded++;
        }
      }
    }
    stored += completed - freed;
  }
}

}  // namespace dse

#endif

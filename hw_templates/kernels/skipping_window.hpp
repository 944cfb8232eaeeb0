// Sliding window unit that leaves out the windows of skipped positions; else as sliding_window.hpp.
//
// A bit for every tile of positions, from spatial_mask, says which are kept, and goes on as it is. For the matrix unit
// there is a token in front of every window, 1, and one at the end of a frame, 0.
//
// Every cycle two things are done, each by the state before the cycle and neither waiting for the other:
//   load   as in sliding_window;
//   write  the next word of a kept window is written, or a position is skipped, which takes one cycle. The bit of
//          a tile is read at its first position, and kept for its other rows.
// A row leaves the ring with the last position of the last output row that needs it.
//
// UNIT has what spatial_mask.hpp asks for, and ring_rows.
#ifndef DSE_SKIPPING_WINDOW_HPP
#define DSE_SKIPPING_WINDOW_HPP

#include <hls_stream.h>

#include "numbers.hpp"
#include "spatial_mask.hpp"
#include "trips.hpp"

namespace dse {

// Tag under which skipping_window counts its iterations.
template <typename UNIT>
struct WindowsOf {};

template <typename UNIT>
void skipping_window(hls::stream<ap_uint<UNIT::simd * UNIT::bits>> &in, hls::stream<ap_uint<1>> &mask,
                     hls::stream<ap_uint<UNIT::simd * UNIT::bits>> &out0, hls::stream<ap_uint<1>> &out1,
                     hls::stream<ap_uint<1>> &tokens, unsigned frames) {
#pragma HLS INLINE
  typedef ap_uint<UNIT::simd * UNIT::bits> Word;
  typedef Grid<UNIT> G;
  constexpr int H = UNIT::height, W = UNIT::width, T = UNIT::tile;
  constexpr int K = UNIT::kernel, S = UNIT::stride, P = UNIT::padding;
  static_assert(P < K, "every window needs a row and a column of the map");
  constexpr unsigned WORDS = UNIT::channels / UNIT::simd, ROW_WORDS = W * WORDS;
  constexpr int RING = UNIT::ring_rows;
  constexpr int OUT_ROWS = G::out_rows, OUT_COLS = G::out_cols;
  constexpr int ADVANCE = S < K ? S : K;  // rows that an output row is done with
  constexpr int NEEDED = (OUT_ROWS - 1) * S - P + K < H ? (OUT_ROWS - 1) * S - P + K : H;

  Word ring[RING][ROW_WORDS];
#pragma HLS ARRAY_PARTITION variable = ring complete dim = 1
  // as in sliding_window: a cycle never reads the word it stores, and a row is stored again only after it was freed
#pragma HLS DEPENDENCE variable = ring type = intra dependent = false
#pragma HLS DEPENDENCE variable = ring type = inter direction = WAR dependent = false
  ap_uint<1> decided[G::cols];  // tiles of this row

  // whole rows in the ring; -1 while the end of a row comes that the windows have no use for
  int stored = 0;
  unsigned loaded = 0, load_at = 0;                // frames; word of the row being loaded
  int load_row = 0, load_slot = 0, phase = P % S;  // that row; its place in the ring; in the stride
  unsigned written = 0, channel = 0;               // frames
  int out_row = 0, out_col = 0, ky = 0, kx = 0;
  int first = 0, top = -P, left = -P;  // place in the ring, and corner, of the window
  bool fresh = true;                   // the bit of this position was not read yet
  while (loaded < frames || written < frames) {
#pragma HLS PIPELINE II = 1
    count_trip<WindowsOf<UNIT>>();
    const bool keep = load_row < NEEDED && (S <= K || phase < K);
    const int row = top + ky, col = left + kx;
    const bool padding = row < 0 || row >= H || col < 0 || col >= W;
    const int place = row - (top > 0 ? top : 0);  // among the rows of the ring
    const unsigned at = padding ? 0 : col * WORDS + channel;
    const bool present = padding || place < stored || (place == stored && keep && at < load_at);
    const bool load = loaded < frames && (!keep || stored < RING) && !in.empty();
    int freed = 0, completed = 0;
    const bool reads = fresh && out_row % T == 0 && out_col % T == 0;
    if (written < frames && (!reads || (!mask.empty() && !out1.full()))) {
      if (reads) {
        const ap_uint<1> bit = mask.read();
        out1.write(bit);
        decided[out_col / T] = bit;
        fresh = false;
      }
      const bool kept = decided[out_col / T] == 1;
      bool done = !kept;  // with this position
      if (kept && present && !out0.full()) {
        if (ky == 0 && kx == 0 && channel == 0) tokens.write(1);
        const int slot = first + place < RING ? first + place : first + place - RING;
        out0.write(padding ? Word(0) : ring[slot][at]);
        if (++channel == WORDS) {
          channel = 0;
          if (++kx == K) {
            kx = 0;
            if (++ky == K) {
              ky = 0;
              done = true;
            }
          }
        }
      }
      if (done) {
        fresh = true;
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
          if (last) tokens.write(0);
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

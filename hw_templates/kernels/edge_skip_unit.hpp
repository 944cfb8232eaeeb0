// XNOR-popcount unit with 1-bit outputs that stops adding as soon as an output is decided. Of a row with
// N weights and P matches after some words the output is
//   1 where P >= threshold,
//   0 where P + the edges that are left < threshold,
//   1 where a max-pool behind the unit (an OR) has seen a 1 of this row in the same window already.
//
// Three things happen side by side in every cycle, each by the state before the cycle:
//   take   the next word of a vector is stored where one of the `held` places for vectors is free;
//   add    every group of PEs counts the matches of the word in its register, decides, and fetches the word
//          that it needs next, of the same or of the next row, where it is there;
//   send   the next output word leaves when every group has finished it.
// lockstep: all PEs are one group, which goes on when all its rows are decided. Else every PE is a group of
// its own with its own port of the vectors and its own bank of weights: row pass * PE + p always belongs to
// PE p, so all rows of a pooling window are met by one PE, one after the other, and what the window has seen
// is private to it. A decision takes the cycle of its word; a row that the pool decides takes one cycle.
// The way from a decision to the next address is not pipelined: it bounds the clock.
//
// UNIT has mh, mw, vectors, pe, simd, lockstep, held, pool (kernel of the max-pool; 0: none), pool_height,
// pool_width (the map that the unit gives) and what dot.hpp and activation.hpp ask for.
#ifndef DSE_EDGE_SKIP_UNIT_HPP
#define DSE_EDGE_SKIP_UNIT_HPP

#include <hls_stream.h>

#include "activation.hpp"
#include "trips.hpp"

namespace dse {

// Where a group is: a row pass of a vector, and the pixel of the map that the vector gives.
template <typename UNIT>
struct EdgePlace {
  static constexpr unsigned K = UNIT::pool > 0 ? UNIT::pool : 1;
  static constexpr unsigned COLUMNS = UNIT::pool > 0 ? UNIT::pool_width / K : 1;
  static constexpr unsigned ROWS = UNIT::pool > 0 ? UNIT::pool_height / K : 1;
  static constexpr unsigned NF = UNIT::mh / UNIT::pe;

  unsigned slot, pass, step;  // place of the vector, row pass, word
  unsigned row, col, ky, kx;  // window of the pool, and pixel in it

  bool outside() const { return UNIT::pool > 0 && (row == ROWS || col == COLUMNS); }
  bool first() const { return ky == 0 && kx == 0; }

  // Go on to the next row pass; true where it is of another vector.
  bool next() {
#pragma HLS INLINE
    step = 0;
    if (++pass < NF) return false;
    pass = 0;
    slot = slot + 1 < UNIT::held ? slot + 1 : 0;
    if (UNIT::pool == 0) return true;
    if (col * K + kx == UNIT::pool_width - 1) {
      col = kx = 0;
      if (row * K + ky == UNIT::pool_height - 1) {
        row = ky = 0;
      } else if (++ky == K) {
        ky = 0;
        row++;
      }
    } else if (++kx == K) {
      kx = 0;
      col++;
    }
    return true;
  }
};

template <typename UNIT>
void edge_skip_unit(
    hls::stream<ap_uint<UNIT::simd * UNIT::in_bits>> &in,
    hls::stream<ap_uint<UNIT::pe * UNIT::word_bits>> &out, unsigned frames,
    const typename Arithmetic<UNIT>::weight_chunk (&weights)[UNIT::mh / UNIT::pe * (UNIT::mw / UNIT::simd)]
                                                            [UNIT::pe]
                                                            [Arithmetic<UNIT>::Weights::chunks],
    const typename Activation<UNIT>::Row (&rows)[UNIT::mh / UNIT::pe][UNIT::pe]) {
#pragma HLS INLINE
  typedef Arithmetic<UNIT> Math;
  typedef EdgePlace<UNIT> Place;
  static_assert(Math::popcount && UNIT::out_bits == 1, "edges are skipped where all is 1 bit");
  constexpr unsigned PE = UNIT::pe, NF = UNIT::mh / PE, SF = UNIT::mw / UNIT::simd, HELD = UNIT::held;
  constexpr unsigned GROUP = UNIT::lockstep ? PE : 1, GROUPS = PE / GROUP;
  typedef ap_uint<UNIT::simd * UNIT::in_bits> Word;

  Word vectors[GROUPS][HELD][SF];  // a copy for every reading port
#pragma HLS ARRAY_PARTITION variable = vectors complete dim = 1
  bool results[PE][HELD][NF];
#pragma HLS ARRAY_PARTITION variable = results complete dim = 1
  bool seen[PE][Place::COLUMNS][NF];  // whether the windows of this row of the pool have a 1
#pragma HLS ARRAY_PARTITION variable = seen complete dim = 1
  typename Math::sum sums[PE];
  bool decided[PE], value[PE];
#pragma HLS ARRAY_PARTITION variable = sums complete
#pragma HLS ARRAY_PARTITION variable = decided complete
#pragma HLS ARRAY_PARTITION variable = value complete
  Place at[GROUPS];   // of the word in the register, or of the one that is waited for
  Word word[GROUPS];  // the register
  bool valid[GROUPS];
  int lead[GROUPS];        // whole vectors that were taken and not used; -1: one was not even needed wholly
  unsigned ahead[GROUPS];  // rows that are finished and not sent
#pragma HLS ARRAY_PARTITION variable = at complete
#pragma HLS ARRAY_PARTITION variable = word complete
#pragma HLS ARRAY_PARTITION variable = valid complete
#pragma HLS ARRAY_PARTITION variable = lead complete
#pragma HLS ARRAY_PARTITION variable = ahead complete
  for (unsigned g = 0; g < GROUPS; g++) {
#pragma HLS UNROLL
    at[g] = Place();
    valid[g] = false;
    lead[g] = 0;
    ahead[g] = 0;
  }

  unsigned take_slot = 0, take_step = 0, room = HELD;  // places for vectors
  unsigned send_slot = 0, send_pass = 0;
  unsigned taken = 0, taken_frames = 0, sent = 0, sent_frames = 0;  // vectors of a frame; frames
  // the last outputs may leave before the end of their vector has come
  while (taken_frames < frames || sent_frames < frames) {
#pragma HLS PIPELINE II = 1
    count_trip<UNIT>();
    const bool take = taken_frames < frames && room > 0 && !in.empty();
    bool send = !out.full();
    for (unsigned g = 0; g < GROUPS; g++) {
#pragma HLS UNROLL
      send = send && ahead[g] > 0;
    }
    const bool whole = take && take_step == SF - 1;
    const bool done = send && send_pass == NF - 1;
    if (send) {
      ap_uint<PE * UNIT::word_bits> result;
      for (unsigned p = 0; p < PE; p++) {
#pragma HLS UNROLL
        result[p] = results[p][send_slot][send_pass];
      }
      out.write(result);
    }

    for (unsigned g = 0; g < GROUPS; g++) {
#pragma HLS UNROLL
      bool over = valid[g], moved = false;
      Place &a = at[g];
      if (valid[g]) {
        typename Math::input_chunk x[Math::Inputs::chunks];
#pragma HLS ARRAY_PARTITION variable = x complete
        split<UNIT::simd, UNIT::in_bits>(word[g], x);
        const int left = UNIT::mw - (a.step + 1) * UNIT::simd;
        for (unsigned m = 0; m < GROUP; m++) {
#pragma HLS UNROLL
          const unsigned p = g * GROUP + m;
          const bool begins = a.step == 0, kept = !a.outside();
          const bool or_so_far = kept && !a.first() && seen[p][a.col][a.pass];
          const bool cancelled = UNIT::pool > 0 && (!kept || or_so_far);
          sums[p] = (begins ? typename Math::sum(0) : sums[p]) + Math::dot(weights[a.pass * SF + a.step][p], x);
          const integer<UNIT::acc_bits + 2> matches = sums[p], threshold = rows[a.pass][p][0];
          const bool before = begins ? cancelled : decided[p];
          const bool one = matches >= threshold, zero = matches + left < threshold;
          if (!before || begins) value[p] = before || one;
          decided[p] = before || one || zero;
          over = over && decided[p];
        }
        a.step++;
      }
      if (over) {
        for (unsigned m = 0; m < GROUP; m++) {
#pragma HLS UNROLL
          const unsigned p = g * GROUP + m;
          results[p][a.slot][a.pass] = value[p];
          if (UNIT::pool > 0 && !a.outside()) {
            seen[p][a.col][a.pass] = value[p] || (!a.first() && seen[p][a.col][a.pass]);
          }
        }
        moved = a.next();
      }
      // fetch: by what was taken before this cycle
      const int there = lead[g] - moved;
      valid[g] = there > 0 || (there == 0 && a.step < take_step);
      word[g] = vectors[g][a.slot][a.step];
      lead[g] = there + whole;
      ahead[g] += unsigned(over) - unsigned(send);
    }

    if (take) {
      const Word next = in.read();
      for (unsigned g = 0; g < GROUPS; g++) {
#pragma HLS UNROLL
        vectors[g][take_slot][take_step] = next;
      }
      take_step++;
    }
    if (whole) {
      take_step = 0;
      take_slot = take_slot + 1 < HELD ? take_slot + 1 : 0;
      if (++taken == UNIT::vectors) {
        taken = 0;
        taken_frames++;
      }
    }
    if (send) send_pass++;
    if (done) {
      send_pass = 0;
      send_slot = send_slot + 1 < HELD ? send_slot + 1 : 0;
      if (++sent == UNIT::vectors) {
        sent = 0;
        sent_frames++;
      }
    }
    room = room + done - whole;
  }
}

}  // namespace dse

#endif

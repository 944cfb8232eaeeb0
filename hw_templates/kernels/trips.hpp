// Counts the loop iterations of a unit in simulation; with II = 1 they are its cycles.
#ifndef DSE_TRIPS_HPP
#define DSE_TRIPS_HPP

namespace dse {

#ifndef __SYNTHESIS__
template <typename UNIT>
unsigned long long &trips() {
  static unsigned long long count = 0;
  return count;
}
#endif

template <typename UNIT>
void count_trip() {
#pragma HLS INLINE
#ifndef __SYNTHESIS__
  ++trips<UNIT>();
#endif
}

}  // namespace dse

#endif

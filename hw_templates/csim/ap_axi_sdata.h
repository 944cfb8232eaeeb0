// Simulation-only AXI-Stream words: the fields of the vendor's hls::axis that a design may touch.
#ifndef DSE_CSIM_AP_AXI_SDATA_H
#define DSE_CSIM_AP_AXI_SDATA_H

#include <ap_int.h>

namespace hls {

template <typename T, int USER, int ID, int DEST>
struct axis {
  T data;
  ap_uint<(T::width + 7) / 8> keep;
  ap_uint<(T::width + 7) / 8> strb;
  ap_uint<1> last;
  ap_uint<(USER > 0 ? USER : 1)> user;
  ap_uint<(ID > 0 ? ID : 1)> id;
  ap_uint<(DEST > 0 ? DEST : 1)> dest;
};

}  // namespace hls

template <int WIDTH, int USER, int ID, int DEST>
using ap_axiu = hls::axis<ap_uint<WIDTH>, USER, ID, DEST>;
template <int WIDTH, int USER, int ID, int DEST>
using ap_axis = hls::axis<ap_int<WIDTH>, USER, ID, DEST>;

#endif

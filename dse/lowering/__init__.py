"""From a network and a design to hardware units, with what joins them and where words wait."""

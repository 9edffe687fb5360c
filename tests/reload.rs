//! Does everything stay in one piece while the configuration changes, and while another binary takes over? The real
//! program, told by files and signals, under load.

mod binary;
mod changes;
mod files;
mod http2;
mod load;
mod probes;
mod rig;
mod tls;
mod upstreams;
mod way_out;

//! Does Anteroom get into pods as it should, does it say from inside of one what is missing, and do probes get through without
//! opening a door?

mod doctor;
mod inject;
mod pod;
mod probes;

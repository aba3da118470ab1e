//! The binary as a user runs it, and the rules of the house.

mod architecture;
mod bench;
mod data_download;
mod data_files;
mod errors;
mod interruption;
mod libsvm;
mod project;
mod real_data;
mod run;
mod search;

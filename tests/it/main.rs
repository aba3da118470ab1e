//! The binary as a user runs it, and the rules of the house.

mod approximation;
mod architecture;
mod bench;
mod data_download;
mod data_files;
mod errors;
mod hostile_data;
mod images;
mod interruption;
mod libsvm;
mod model;
mod own_data;
mod project;
mod real_data;
mod robustness;
mod run;
mod search;
mod seeds;
mod training;

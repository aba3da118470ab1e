//! The binary as a user runs it, and the rules of the house.

mod approximation;
mod architecture;
mod bench;
mod data_download;
mod data_files;
mod errors;
mod export;
mod hostile_data;
mod images;
mod interruption;
mod libsvm;
mod model;
mod own_data;
mod predict;
mod project;
mod readme;
mod real_data;
mod report;
mod robustness;
mod run;
mod search;
mod seeds;
mod serve;
mod training;

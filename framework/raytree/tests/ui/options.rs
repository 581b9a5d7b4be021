use raytree::prelude::*;

#[remote(cpu = 1)]
fn one() {}

#[remote(cpus = -1)]
fn two() {}

#[remote(timeout = "soon")]
fn three() {}

#[remote(retries)]
fn four() {}

#[raytree::main(workers = 2)]
fn main() {}

//! The seeds of the fuzz targets: the smallest files that take every way through a decoder once. They are written by
//! hand here and committed as files under `fuzz/corpus`, where a fuzzer begins.

pub(crate) mod bytes;
mod captures;
mod exports;
mod routes;
mod text;

use bytes::Seed;

use crate::writer::{Method, biflows_1, biflows_2, layout_1, layout_2};

/// All seeds.
pub(crate) fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    exports::add(&mut seeds);
    captures::add(&mut seeds);
    routes::add(&mut seeds);
    text::add(&mut seeds);
    nfdump(&mut seeds);
    detect(&mut seeds);
    seeds
}

fn nfdump(seeds: &mut Vec<Seed>) {
    for method in [Method::None, Method::Lzo, Method::Bzip2, Method::Lz4] {
        seeds.push(("nfdump", format!("layout_1_{method:?}").to_lowercase(), layout_1(method)));
    }
    for method in [Method::None, Method::Lzo, Method::Bzip2, Method::Lz4, Method::Zstd] {
        seeds.push(("nfdump", format!("layout_2_{method:?}").to_lowercase(), layout_2(method)));
    }
    seeds.push(("nfdump", "biflows_1".to_owned(), biflows_1()));
    seeds.push(("nfdump", "biflows_2".to_owned(), biflows_2()));
}

/// The beginnings of one seed of each target.
fn detect(seeds: &mut Vec<Seed>) {
    let mut heads: Vec<Seed> = Vec::new();
    for (target, name, bytes) in seeds.iter().filter(|(target, ..)| *target != "packet") {
        let skip = usize::from(*target == "tables");
        heads.push(("detect", format!("{target}_{name}"), bytes[skip..bytes.len().min(160)].to_vec()));
    }
    seeds.append(&mut heads);
}

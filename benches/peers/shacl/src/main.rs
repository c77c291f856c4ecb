//! How long the `shacl` crate takes for one credential, beside `cargo bench --bench credential`.
//!
//! Arguments: a directory with the shapes (`EDC-generic-no-cv.ttl`, `EDC-generic-full.ttl`), and the credential as
//! N-Triples, which `pyshacl_time.py` writes. Reading JSON-LD is not counted.

use rudof_rdf::rdf_core::RDFFormat;
use shacl::validator::processor::{GraphValidation, ShaclProcessor};
use shacl::validator::store::ShaclDataManager;
use shacl::validator::{ShaclConfig, ShaclValidationMode};
use std::error::Error;
use std::io::Cursor;
use std::path::Path;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [shapes, credential] = arguments.as_slice() else { return Err("usage: SHAPES_DIR CREDENTIAL.nt".into()) };
    let mut text = String::new();
    for file in ["EDC-generic-no-cv.ttl", "EDC-generic-full.ttl"] {
        text.push_str(&std::fs::read_to_string(Path::new(shapes).join(file))?);
        text.push('\n');
    }
    let started = Instant::now();
    let schema = ShaclDataManager::load(&mut Cursor::new(text), "shapes", &RDFFormat::Turtle, None)?;
    println!("load the shapes  {:8.1} ms", started.elapsed().as_secs_f64() * 1e3);
    let mut times = Vec::new();
    let mut conforms = false;
    for _ in 0..21 {
        // What was found once is remembered, so that each round has a graph of its own.
        let mut validation = GraphValidation::from_path(credential, RDFFormat::NTriples, None)?;
        let started = Instant::now();
        conforms = validation.validate(&schema, &ShaclValidationMode::Native, &ShaclConfig::default())?.conforms();
        times.push(started.elapsed());
    }
    times.sort_unstable();
    println!("shacl            {:8.1} ms   conforms: {conforms}", times[times.len() / 2].as_secs_f64() * 1e3);
    Ok(())
}

//! Writing records: one per line, or as the elements of an array where the input was one.

use crate::SiltaRecord;
use crate::decode::ARRAY;
use silta_adapter::adapter::{DocumentWriter, Encode, EncodeContext, ItemPlan, NotWritten};
use silta_adapter::fidelity::Loss;
use silta_adapter::problem::Problem;
use silta_adapter::record::Record;
use std::io::{self, Write};

impl Encode for SiltaRecord {
    /// Every record is an item, tombstones too.
    fn items(&self, records: &[Record]) -> (Vec<ItemPlan>, Vec<Problem>) {
        let plan = |(at, record): (usize, &Record)| ItemPlan { root: record.head.key.clone(), members: vec![at] };
        (records.iter().enumerate().map(plan).collect(), Vec::new())
    }

    fn document<'a>(
        &'a self,
        out: &'a mut dyn Write,
        form: Option<&str>,
        _: EncodeContext<'a>,
    ) -> io::Result<Box<dyn DocumentWriter + 'a>> {
        Ok(Box::new(RecordWriter { out, array: form == Some(ARRAY), written: false }))
    }
}

struct RecordWriter<'a> {
    out: &'a mut dyn Write,
    array: bool,
    written: bool,
}

impl DocumentWriter for RecordWriter<'_> {
    fn write(&mut self, item: &[Record]) -> Result<Vec<Loss>, NotWritten> {
        for record in item {
            if self.array {
                self.out.write_all(if self.written { b",\n" } else { b"[\n" })?;
            }
            serde_json::to_writer(&mut *self.out, record).map_err(io::Error::from)?;
            if !self.array {
                self.out.write_all(b"\n")?;
            }
            self.written = true;
        }
        Ok(Vec::new())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        match (self.array, self.written) {
            (false, _) => Ok(()),
            (true, false) => self.out.write_all(b"[]\n"),
            (true, true) => self.out.write_all(b"\n]\n"),
        }
    }
}

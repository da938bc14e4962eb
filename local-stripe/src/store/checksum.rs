//! The checksum (CRC-32) of a row, over the table's name and all columns. It detects every change of a single byte.

use crc32fast::Hasher;

use super::StoreError;

/// A checksum that is being computed. The columns are added in the order of the table.
pub(super) struct RowChecksum(Hasher);

impl RowChecksum {
    pub(super) fn of(table: &str) -> Self {
        Self(Hasher::new()).text(table)
    }

    pub(super) fn int(mut self, value: i64) -> Self {
        self.0.update(&value.to_le_bytes());
        self
    }

    pub(super) fn text(self, value: &str) -> Self {
        self.bytes(value.as_bytes())
    }

    pub(super) fn bytes(mut self, value: &[u8]) -> Self {
        // Including the length changes the checksum if bytes move from one column to the next.
        self.0.update(&(value.len() as u64).to_le_bytes());
        self.0.update(value);
        self
    }

    pub(super) fn int_or_null(self, value: Option<i64>) -> Self {
        match value {
            Some(value) => self.int(1).int(value),
            None => self.int(0),
        }
    }

    pub(super) fn text_or_null(self, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.int(1).text(value),
            None => self.int(0),
        }
    }

    pub(super) fn finish(self) -> i64 {
        i64::from(self.0.finalize())
    }

    /// Checks that the checksum equals the stored checksum `found`.
    pub(super) fn check(self, found: i64, table: &'static str, row: impl ToString) -> Result<(), StoreError> {
        let expected = self.finish();
        if found == expected {
            return Ok(());
        }
        Err(StoreError::Row {
            table,
            row: row.to_string(),
            found: format!("its checksum is {found:08x}"),
            expected: format!("{expected:08x}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_and_its_length_affect_the_checksum() {
        let sums = [
            RowChecksum::of("a").text("bc").text("d").finish(),
            RowChecksum::of("a").text("b").text("cd").finish(),
            RowChecksum::of("b").text("bc").text("d").finish(),
            RowChecksum::of("a").text("bc").text_or_null(None).finish(),
            RowChecksum::of("a").text("bc").text_or_null(Some("")).finish(),
            RowChecksum::of("a").text("bc").int_or_null(Some(7)).finish(),
        ];
        for (n, sum) in sums.iter().enumerate() {
            assert!(!sums[n + 1..].contains(sum), "{n}");
        }
    }
}

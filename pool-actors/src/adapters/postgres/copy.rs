//! Binary COPY: thousands of rows in one statement.

use std::pin::Pin;

use tokio_postgres::{Transaction, binary_copy::BinaryCopyInWriter, types::Type};

use super::{
    session::{Parameters, Statements, failure},
    statements::Sql,
};
use crate::ports::store::StoreError;

/// Rows on their way into a table.
pub(super) struct Copy(Pin<Box<BinaryCopyInWriter>>);

impl Copy {
    /// Begins; the types are those of the statement's columns, in its order.
    pub(super) async fn begin(
        tx: &Transaction<'_>,
        statements: &Statements,
        sql: Sql,
        types: &[Type],
    ) -> Result<Self, StoreError> {
        let sink = tx.copy_in(statements.of(sql)?).await.map_err(failure)?;
        Ok(Self(Box::pin(BinaryCopyInWriter::new(sink, types))))
    }

    pub(super) async fn row(&mut self, values: Parameters<'_>) -> Result<(), StoreError> {
        self.0.as_mut().write(values).await.map_err(failure)
    }

    /// Ends it; without this, nothing was copied.
    pub(super) async fn finish(mut self) -> Result<(), StoreError> {
        self.0.as_mut().finish().await.map(drop).map_err(failure)
    }
}

//! The table `checkpoint`: one row, the newest signed head of the receipt log.

use super::{Reader, StoreError, Write};

/// The newest head, once there was one.
///
/// # Errors
/// [`StoreError`].
pub async fn read(readers: &Reader) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(sqlx::query_scalar("SELECT note FROM checkpoint WHERE only_row = 0").fetch_optional(readers).await?)
}

/// Replaces the head, in the transaction that stores its leaves.
///
/// # Errors
/// [`StoreError`].
pub async fn store(write: &mut Write, note: &[u8]) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO checkpoint (only_row, note) VALUES (0, $1) ON CONFLICT (only_row) DO UPDATE SET note = $1",
    )
    .bind(note.to_vec())
    .execute(&mut **write)
    .await?;
    Ok(())
}

//! Lists that may be too long to be in memory as text. They are made twice: to be counted, for whoever gets one must know where it
//! ends, and again while they are sent. Both must give the same, so a list is made of what does not change: a registry as it was.

use axum::{
    body::{Body, Bytes},
    response::Response,
};
use http::StatusCode;
use iog_protocol::api::{ApiErrorCode, JSON_MEDIA_TYPE};
use iog_transport::{HoldsAtMost, Maker, made};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use super::typed;
use crate::refusal::Refusal;

/// Bytes of text that are made at once; an item that is longer goes with what was there before.
const PIECE_BYTES: usize = 16 * 1024;

/// An object whose members are arrays.
#[derive(Default)]
pub(crate) struct LongList {
    arrays: Vec<Array>,
    /// Bytes that it keeps besides what all have anyway, until it is sent.
    kept_bytes: usize,
}

struct Array {
    name: &'static str,
    count: usize,
    item: Box<dyn Fn(usize) -> Vec<u8> + Send + Sync>,
}

impl LongList {
    /// Adds an array of the items that `item` makes of these, which take so many bytes meanwhile.
    #[must_use]
    pub(crate) fn with<K, T>(
        mut self,
        name: &'static str,
        of: Vec<K>,
        kept_bytes: usize,
        item: impl Fn(&K) -> T + Send + Sync + 'static,
    ) -> Self
    where
        K: Send + Sync + 'static,
        T: Serialize + 'static,
    {
        let (count, json) =
            (of.len(), |item: &T| serde_json::to_vec(item).expect("items are texts, numbers and lists"));
        self.arrays.push(Array { name, count, item: Box::new(move |at| json(&item(&of[at]))) });
        self.kept_bytes += kept_bytes;
        self
    }

    /// What stands at a place, and the place after it; nothing after the end.
    fn part(&self, place: Place) -> Option<(Vec<u8>, Place)> {
        let Some(array) = self.arrays.get(place.array) else {
            return (place.array == self.arrays.len())
                .then(|| (b"}".to_vec(), Place { array: place.array + 1, item: 0 }));
        };
        let next = Place { item: place.item + 1, ..place };
        match place.item {
            0 => {
                let before = if place.array == 0 { "{" } else { "," };
                Some((format!("{before}\"{}\":[", array.name).into(), next))
            }
            item if item <= array.count => {
                let mut text = if item == 1 { Vec::new() } else { b",".to_vec() };
                text.extend((array.item)(item - 1));
                Some((text, next))
            }
            _ => Some((b"]".to_vec(), Place { array: place.array + 1, item: 0 })),
        }
    }

    fn length(&self) -> u64 {
        let (mut place, mut length) = (Place::default(), 0);
        while let Some((text, next)) = self.part(place) {
            length += text.len() as u64;
            place = next;
        }
        length
    }

    /// The answer. Few are counted at a time: `turn` is waited for before anything is read for the list.
    pub(crate) async fn answer(self, turn: OwnedSemaphorePermit) -> Result<Response, Refusal> {
        let counted = tokio::task::spawn_blocking(move || (self.length(), self)).await;
        drop(turn);
        let (length, list) = counted.map_err(|error| Refusal::because(ApiErrorCode::Internal, &error))?;
        let kept_bytes = list.kept_bytes;
        let Ok((body, HoldsAtMost(held))) = made(length, PIECE_BYTES, Writing { list, place: Place::default() }).await;
        let mut response = typed(StatusCode::OK, JSON_MEDIA_TYPE, "no-store", Body::new(body));
        response.extensions_mut().insert(HoldsAtMost(held + kept_bytes));
        Ok(response)
    }
}

/// A place in a list: before an array, at an item, behind the last.
#[derive(Clone, Copy, Default)]
struct Place {
    array: usize,
    item: usize,
}

struct Writing {
    list: LongList,
    place: Place,
}

impl Maker for Writing {
    type Error = std::convert::Infallible;

    async fn next(&mut self) -> Result<Option<Bytes>, Self::Error> {
        let mut piece = Vec::new();
        while piece.len() < PIECE_BYTES
            && let Some((text, next)) = self.list.part(self.place)
        {
            piece.extend(text);
            self.place = next;
        }
        Ok((!piece.is_empty()).then(|| piece.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::Lists;

    async fn text(list: LongList) -> String {
        let response = list.answer(Lists::new().turn().await).await.unwrap();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(bytes.into()).unwrap()
    }

    #[tokio::test]
    async fn what_is_sent_is_what_would_be_written_at_once() {
        let numbers: Vec<u64> = (0..20_000).collect();
        let list =
            LongList::default().with("a", numbers.clone(), 0, |n| n * 3).with("b", vec!["x\"y"], 0, |text| *text);
        let expected = serde_json::json!({"a": numbers.iter().map(|n| n * 3).collect::<Vec<_>>(), "b": ["x\"y"]});
        assert_eq!(text(list).await, expected.to_string());
        assert_eq!(text(LongList::default().with("none", Vec::<u8>::new(), 0, |n| *n)).await, r#"{"none":[]}"#);
    }

    #[tokio::test]
    async fn a_list_that_nobody_reads_is_not_made() {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicUsize, Ordering};
        let made = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&made);
        let list = LongList::default().with("a", vec![(); 1_000], 77, move |()| {
            counter.fetch_add(1, Ordering::Relaxed);
            "x".repeat(10_000)
        });
        let response = list.answer(Lists::new().turn().await).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let again = made.load(Ordering::Relaxed) - 1_000;
        assert!(again < 10, "{again} items of 1,000 were made before anybody read");
        let held = response.extensions().get::<HoldsAtMost>().unwrap().0;
        assert_eq!(held, 4 * PIECE_BYTES + 77);
    }
}

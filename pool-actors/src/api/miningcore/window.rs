//! Pages that are counted from the newest item.

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::json;

use super::super::{errors::ApiError, shapes::miningcore::Paged};

/// Items of a page without `pageSize`.
const PAGE: u64 = 15;
/// Most items of a page.
const PAGE_MAX: u64 = 500;
/// How far back pages go: they count from the newest, so each one that is further back costs more. The pool's own lists have
/// no such bound.
pub(super) const REACH: u64 = 5_000;

/// A page of a list that is counted from its newest item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    skip: usize,
    size: usize,
}

impl Window {
    pub(super) fn of(page: Option<u64>, size: Option<u64>) -> Result<Self, ApiError> {
        let wrong = |parameter: &str, what: String| {
            Err(ApiError::bad_request(what).with(json!({ "parameter": parameter })))
        };
        let size = size.unwrap_or(PAGE);
        if !(1..=PAGE_MAX).contains(&size) {
            return wrong("pageSize", format!("pageSize is {size}, it must be 1 to {PAGE_MAX}"));
        }
        let Some(skip) = page.unwrap_or(0).checked_mul(size).filter(|skip| *skip <= REACH) else {
            return wrong(
                "page",
                format!("pages go {REACH} items back; the pool's own lists, such as /api/blocks, go on"),
            );
        };
        let fits = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Ok(Self { skip: fits(skip), size: fits(size) })
    }

    /// Items that must be looked at, with one that says that there is more.
    pub(super) const fn reach(self) -> usize {
        self.skip + self.size + 1
    }

    /// Cuts the page out of the newest items.
    pub(super) fn cut<T>(self, items: Vec<T>) -> Cut<T> {
        let known = items.len().min(self.skip + self.size);
        let more = items.len() > self.skip + self.size;
        let page_count = u64::try_from(known.div_ceil(self.size)).unwrap_or(0) + u64::from(more);
        Cut { page_count, items: items.into_iter().skip(self.skip).take(self.size).collect() }
    }
}

/// A page, and how many are known.
pub(super) struct Cut<T> {
    page_count: u64,
    items: Vec<T>,
}

impl<T: Serialize> Cut<T> {
    /// A list, or in `/api/v2` the envelope.
    pub(super) fn answer(self, request: &HttpRequest) -> HttpResponse {
        if request.path().starts_with("/api/v2/") {
            let Self { page_count, items } = self;
            return HttpResponse::Ok().json(Paged { success: true, page_count, result: items });
        }
        HttpResponse::Ok().json(self.items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_how_many_there_are() {
        let cut = |page, size, items: usize| {
            let cut = Window::of(Some(page), Some(size)).unwrap().cut((0..items).collect());
            (cut.items, cut.page_count)
        };
        assert_eq!(cut(0, 2, 0), (vec![], 0));
        assert_eq!(cut(0, 2, 1), (vec![0], 1));
        assert_eq!(cut(0, 2, 2), (vec![0, 1], 1));
        assert_eq!(cut(0, 2, 3), (vec![0, 1], 2));
        assert_eq!(cut(1, 2, 3), (vec![2], 2));
        assert_eq!(cut(9, 2, 3), (vec![], 2));
        for (page, size) in [(0, 0), (0, 501), (11, 500), (u64::MAX, 2)] {
            assert!(Window::of(Some(page), Some(size)).is_err(), "{page} {size}");
        }
    }
}

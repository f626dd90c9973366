//! Closes a book for good and answers its final bids.

use aex_error::{Check, wire};
use aex_kit::Call;
use aex_proto::aex::bid_gateway::v1::{SealBookRequest, SealBookResponse};
use aex_store::Tx;

use crate::{
    App, Error, convert,
    domain::{
        bid::Bid,
        book::{self, Book},
    },
    store::books,
};

pub(super) async fn seal_book(
    app: &App,
    mut call: Call,
    request: SealBookRequest,
) -> Result<SealBookResponse, Error> {
    let mut check = Check::of(&request);
    let id = check.parse("work_id", &request.work_id);
    let id = check.finish(|| id)?;
    let known = app
        .store
        .work(&mut call, async |tx| match books::lock(tx, id).await? {
            Some(book) => seal(tx, book).await.map(Some),
            None => Ok::<_, Error>(None),
        })
        .await?;
    if let Some(sealed) = known {
        return Ok(answer(sealed));
    }

    // Nobody has bid: the work says of what the book is.
    let terms = app.work(&call, id).await?.terms;
    let sealed = app
        .store
        .work(&mut call, async |tx| {
            let book = books::lock_or_open(tx, terms).await?;
            seal(tx, book).await
        })
        .await?;
    Ok(answer(sealed))
}

async fn seal(tx: &mut Tx<'_>, book: Book) -> Result<(Book, Vec<Bid>), Error> {
    let events = book::seal(&book, tx.now());
    let (book, _) = books::record(tx, book, [], events).await?;
    let bids = books::final_set(tx, book.terms.work_id).await?;
    Ok((book, bids))
}

/// Made when the book is let go: of a thousand bids the samples are a megabyte to read.
fn answer((book, bids): (Book, Vec<Bid>)) -> SealBookResponse {
    SealBookResponse {
        bids: bids.into_iter().map(convert::sealed).collect(),
        seal_time: book.seal_time.map(wire::time),
        total_bids: book.total_bids,
    }
}

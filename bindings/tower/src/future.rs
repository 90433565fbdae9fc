//! The future of a response: of the service behind, or of a denial that is ready.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use pin_project_lite::pin_project;

pin_project! {
    /// What [`crate::Enforce`] answers with.
    #[derive(Debug)]
    pub struct ResponseFuture<F, R> {
        #[pin]
        state: State<F, R>,
    }
}

pin_project! {
    #[project = StateProjected]
    #[derive(Debug)]
    enum State<F, R> {
        Allowed { #[pin] future: F },
        Denied { response: Option<Response<R>> },
    }
}

impl<F, R> ResponseFuture<F, R> {
    pub(crate) const fn allowed(future: F) -> Self {
        Self { state: State::Allowed { future } }
    }

    pub(crate) const fn denied(response: Response<R>) -> Self {
        Self { state: State::Denied { response: Some(response) } }
    }
}

impl<F, R, E> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjected::Allowed { future } => future.poll(context),
            StateProjected::Denied { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                // Polled after it was ready: there is no second response, and no service to ask.
                None => Poll::Pending,
            },
        }
    }
}

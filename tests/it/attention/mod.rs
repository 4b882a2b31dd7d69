//! What waits for somebody: it is seen, it says what to do, and it goes away once that is done.

mod balance;
mod connection;
mod page;
mod rare;
mod why;

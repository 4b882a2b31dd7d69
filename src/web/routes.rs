//! Every route of the application with the least role it needs. The table is the router: what is not in it does not
//! exist, and what is in it is guarded (`guard.rs`) before its handler runs.

use super::guard;
use crate::app::App;
use crate::role::Role;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// Whoever has signed in, also without a merchant.
    SignedIn,
    /// Members of the current merchant with at least this role.
    Least(Role),
    /// Administrators of the installation, whatever merchants they belong to.
    Installation,
}

impl From<Role> for Access {
    fn from(role: Role) -> Self {
        Access::Least(role)
    }
}

/// What a route takes from a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// A form, whose token the guard checks.
    Form,
    /// A file of any length, as a stream, whose token the extractor [`super::Upload`] checks.
    File,
}

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Route {
    /// GET or POST.
    pub method: Method,
    /// As in "/affiliates/{id}".
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// What its requests carry.
    pub takes: Takes,
}

/// The table and the router, built together.
#[derive(Debug, Default)]
pub struct Routes {
    router: Router<App>,
    table: Vec<Route>,
}

impl Routes {
    /// No routes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a family of pages.
    pub fn with(self, family: impl FnOnce(Routes) -> Routes) -> Self {
        family(self)
    }

    /// A page or a fragment, which changes nothing.
    pub fn get<H, T>(self, access: impl Into<Access>, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let route = Route { method: Method::GET, path, access: access.into(), takes: Takes::Nothing };
        self.add(route, get(handler))
    }

    /// A form's target.
    pub fn post<H, T>(self, access: impl Into<Access>, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let route = Route { method: Method::POST, path, access: access.into(), takes: Takes::Form };
        self.add(route, post(handler))
    }

    /// The target of a form with a file. Its handler reads it through [`super::Upload`].
    pub fn upload<H, T>(self, access: impl Into<Access>, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let route = Route { method: Method::POST, path, access: access.into(), takes: Takes::File };
        self.add(route, post(handler).layer(DefaultBodyLimit::disable()))
    }

    fn add(mut self, route: Route, handler: MethodRouter<App>) -> Self {
        let guarded = handler.route_layer(from_fn_with_state((route.access, route.takes), guard::check));
        self.router = self.router.route(route.path, guarded);
        self.table.push(route);
        self
    }

    /// Every route, for whoever wants to try them all.
    pub fn table(&self) -> &[Route] {
        &self.table
    }

    /// The router, still without its outer layers.
    pub(super) fn into_router(self) -> Router<App> {
        self.router
    }
}

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
    /// Whether the person must have shown within the last minutes that it is them.
    pub fresh: bool,
}

/// The table and the router, built together.
#[derive(Debug, Default)]
pub struct Routes {
    handlers: Vec<MethodRouter<App>>,
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
        let route = Route { method: Method::GET, path, access: access.into(), takes: Takes::Nothing, fresh: false };
        self.add(route, get(handler))
    }

    /// A form's target.
    pub fn post<H, T>(self, access: impl Into<Access>, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let route = Route { method: Method::POST, path, access: access.into(), takes: Takes::Form, fresh: false };
        self.add(route, post(handler))
    }

    /// The target of a form with a file. Its handler reads it through [`super::Upload`].
    pub fn upload<H, T>(self, access: impl Into<Access>, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let route = Route { method: Method::POST, path, access: access.into(), takes: Takes::File, fresh: false };
        self.add(route, post(handler).layer(DefaultBodyLimit::disable()))
    }

    fn add(mut self, route: Route, handler: MethodRouter<App>) -> Self {
        self.handlers.push(handler);
        self.table.push(route);
        self
    }

    /// The route named last asks whoever has not shown within the last minutes that it is them ([`super::fresh`]).
    ///
    /// # Panics
    /// Before any route was named.
    pub fn fresh(mut self) -> Self {
        self.table.last_mut().expect("a route comes first").fresh = true;
        self
    }

    /// Every route, for whoever wants to try them all.
    pub fn table(&self) -> &[Route] {
        &self.table
    }

    /// The router, still without its outer layers.
    pub(super) fn into_router(self) -> Router<App> {
        self.table.into_iter().zip(self.handlers).fold(Router::new(), |router, (route, handler)| {
            let path = route.path;
            router.route(path, handler.route_layer(from_fn_with_state(route, guard::check)))
        })
    }
}

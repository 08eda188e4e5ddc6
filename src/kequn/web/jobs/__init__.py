"""Long work outside the request: started from a page, run by the worker, watched and cancelled on the tasks page."""

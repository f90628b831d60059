"""One HTTP client for every connector: composed, never inherited.

    async with HttpClient("https://example.okta.com", name="okta", side="source", auth=ssws(token)) as client:
        async for users in pages(client, "/api/v1/users", LinkHeader(User), {"limit": 200}):
            ...

Retries, rate limits, authentication and redaction happen once, here. What leaves the client is an answer with a status
below 500, or an error of `directory.errors` whose class says what to do with it.
"""

"""Operations: what the API can do, each defined once and served over REST and event stream."""

FROM python:3.13-slim

# The address of the CPU wheels' index on PyTorch's install page goes here. Empty takes torch from the default index,
# which on Linux brings several GB of CUDA packages along.
ARG TORCH_INDEX=""

WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY corpus corpus
COPY retrieval retrieval
COPY bot bot
RUN if [ -n "$TORCH_INDEX" ]; then \
        pip install --no-cache-dir --no-deps --index-url "$TORCH_INDEX" -c constraints.txt torch; \
    fi \
    && pip install --no-cache-dir -c constraints.txt ".[discord,matrix,serve,slack,telegram]" \
    && useradd --system --create-home --uid 10001 pullquote \
    && install -d -o pullquote /data

USER 10001
WORKDIR /data
# With an arena for each of its many threads, glibc keeps twice the memory that the program uses.
ENV PULLQUOTE_DATA=/data MALLOC_ARENA_MAX=2
VOLUME /data
HEALTHCHECK --interval=1m --timeout=20s --start-period=30s CMD ["pullquote", "status"]
ENTRYPOINT ["pullquote"]
CMD ["--help"]

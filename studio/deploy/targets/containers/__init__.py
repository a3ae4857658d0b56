"""Model servers in containers: TGI and vLLM, driven through the engine's API (Docker, or Podman's twin of it)."""

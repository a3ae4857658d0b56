"""The Streamlit shell: server, navigation, state, components."""

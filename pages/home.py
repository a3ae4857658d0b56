"""Home: where the loop stands, the next best step, and what is running."""

import streamlit as st

from studio.ui import home_view as view
from studio.ui.components import page_header
from studio.ui.loop import loop_steps, read_facts
from studio.ui.state import current_project, current_studio

project = current_project()
if project is None:
    page_header("Welcome to Whetstone", "There is no project yet. Begin with the sample, or with your own feature.")
    view.first_steps()
    st.stop()

page_header("Home", "Where the loop stands, and the next best step.")
steps = loop_steps(read_facts(current_studio(), project))
view.figures(project)
view.next_best_step(next(step for step in steps if step.state == "next"))
view.the_loop(steps)
if steps[0].state == "next":
    view.connect(project)
view.activity(project)

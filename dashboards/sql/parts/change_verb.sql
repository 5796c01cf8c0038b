-- An action that changes something, by its words. Column: action.
action ~* 'creat|updat|chang|delet|remov|add(?!ress)|grant|revok|assign|attach|detach|modif|enabl|disabl|patch|replac|(^|[^a-z])put|set(?!ting)'

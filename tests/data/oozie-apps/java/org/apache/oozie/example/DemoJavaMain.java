package org.apache.oozie.example;

/** The main class that the definition of java-main names: prints its arguments. */
public final class DemoJavaMain {
    private DemoJavaMain() {
    }

    public static void main(String[] arguments) {
        System.out.println("arguments: " + arguments.length);
        for (String argument : arguments) {
            System.out.println("argument: " + argument);
        }
    }
}
